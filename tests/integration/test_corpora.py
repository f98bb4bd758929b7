"""The corpora: enough of them, the same in each run, and every secret is there before anything is masked."""

from collections import Counter

from corpora.audit_events import audit_cases
from corpora.cases import AuditCase, SecretCase, lost_pieces, shown
from corpora.drivers import Logweir, unmasked
from corpora.secrets import all_shapes, half, secret_cases


def _names(cases: list[SecretCase] | list[AuditCase]) -> list[str]:
    return [case.name for case in cases]


def _comparable(case: SecretCase) -> tuple[object, ...]:
    logged = case.logged
    texts = repr(logged.event) if isinstance(logged.event, str | dict | list) else ""
    return case.name, case.secrets, case.visible, texts


def test_there_are_hundreds_of_both_and_no_name_is_given_twice() -> None:
    secrets, events = secret_cases(), audit_cases()
    assert sum(not case.hard for case in secrets) >= 400
    assert len(events) >= 300
    for names in (_names(secrets), _names(events)):
        assert [name for name, count in Counter(names).items() if count > 1] == []


def test_a_seed_always_makes_the_same_values_and_another_seed_makes_others() -> None:
    first, again, other = ([_comparable(case) for case in secret_cases(seed)] for seed in (1, 1, 2))
    assert first == again
    assert all(one[1] != another[1] for one, another in zip(first, other, strict=True))
    assert audit_cases() == audit_cases()


def test_each_secret_is_visible_as_long_as_nothing_masks_it() -> None:
    for seed in (0, 14):
        shown_ones = [
            case for case in secret_cases(seed) if case.logged.via != "audit" and not case.logged.hidden
        ]
        assert [case.name for case in shown_ones if not shown(case, unmasked(case.logged))] == []
        assert [case.name for case in shown_ones if lost_pieces(case, unmasked(case.logged))] == []


def test_what_a_case_marks_is_neither_empty_nor_so_common_that_it_is_found_by_chance() -> None:
    for case in secret_cases(3):
        assert case.secrets, case.name
        assert all(len(secret) >= 3 for secret in case.secrets), case.name


def test_a_half_holds_shapes_that_the_other_has_not_and_both_hold_every_large_family() -> None:
    open_half, held_out = half(14)
    assert set(_names(open_half)).isdisjoint(_names(held_out))
    assert sorted(_names(open_half) + _names(held_out)) == sorted(shape.name for shape in all_shapes())
    assert {case.family for case in open_half} == {case.family for case in held_out}
    assert _names(half(15)[0]) != _names(open_half)


def test_half_of_a_secret_counts_as_visible_and_a_masked_one_does_not() -> None:
    case = next(case for case in secret_cases() if case.name == "url-postgres")
    secret = case.secrets[0]
    assert shown(case, [{"event": f"x {secret[len(secret) // 2 :]}"}])
    assert not shown(case, [{"event": f"x {secret[:3]}***"}])


def test_what_logweir_stores_of_a_case_is_what_the_runner_looks_at() -> None:
    cases = {case.name: case for case in secret_cases(5)}
    with Logweir.started() as logweir:
        for name in ("dict-flat", "call-extra", "audit-keyword", "raised-value-error"):
            stored = logweir.store(cases[name].logged)
            assert len(stored) == 1, name
            assert not lost_pieces(cases[name], stored), name
