"""``python -m corpora``: how many secrets are masked, and how many harmless fields; logweir beside its rivals.

Run it as ``PYTHONPATH=tests .venv/bin/python -m corpora [--open | --held-out] [--seed N] [--show-failures]``. Without a half
all shapes are taken. Rivals that are not installed are named so and left out.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from typing import Any, Protocol

from corpora.audit_events import audit_cases
from corpora.cases import AuditCase, Logged, SecretCase, leaves, lost_pieces, shown
from corpora.drivers import RIVALS, Logweir, unmasked
from corpora.secrets import half, secret_cases


class Driver(Protocol):
    """What masks."""

    def store(self, logged: Logged) -> list[dict[str, Any]]:
        """Return what is stored of this."""
        ...


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="corpora", description=__doc__.splitlines()[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--open", action="store_true", help="only the half that may be looked at")
    which.add_argument("--held-out", action="store_true", help="only the half that may not")
    parser.add_argument("--seed", type=int, default=14, help="of the split and of all values")
    parser.add_argument("--show-failures", action="store_true", help="name the cases of logweir that failed")
    parser.add_argument("--alone", action="store_true", help="logweir without its rivals")
    return parser.parse_args()


def _chosen(arguments: argparse.Namespace) -> list[SecretCase]:
    if not (arguments.open or arguments.held_out):
        return secret_cases(arguments.seed)
    open_half, held_out = half(arguments.seed)
    return open_half if arguments.open else held_out


def _store(driver: Driver, logged: Logged) -> list[dict[str, Any]]:
    """Store a case; what it prints on the way (warnings of arguments that do not fit) is not ours."""
    with redirect_stderr(StringIO()):
        return driver.store(logged)


def leaking(driver: Driver, cases: Sequence[SecretCase]) -> tuple[list[str], list[str]]:
    """Return the names of the cases whose secret is visible, and of those that lost more than it."""
    seen, lost = list[str](), list[str]()
    for case in cases:
        stored = _store(driver, case.logged)
        if not stored or shown(case, stored):
            seen.append(case.name)
        if lost_pieces(case, stored):
            lost.append(case.name)
    return seen, lost


def wrongly_masked(driver: Driver, cases: Sequence[AuditCase]) -> list[str]:
    """Return the leaves of harmless events that are not stored as they are: ``case: path``."""
    wrong = list[str]()
    for case in cases:
        logged = Logged(event=case.event, fields=case.fields)
        plain = dict(leaves(unmasked(logged)["fields"]))
        stored = _store(driver, logged)
        fields = stored[0].get("fields", stored[0].get("extra", {})) if stored else {}
        kept = dict(leaves(fields))
        wrong += [
            f"{case.name}: {'.'.join(map(str, path))}"
            for path, value in plain.items()
            if kept.get(path) != value
        ]
    return wrong


@contextmanager
def _drivers(*, alone: bool) -> Iterator[list[tuple[str, Driver | None]]]:
    with Logweir.started() as ours:
        found: list[tuple[str, Driver | None]] = [("logweir", ours)]
        for rival in () if alone else RIVALS:
            try:
                found.append((rival.name, rival()))
            except ImportError:
                found.append((rival.name, None))
        yield found


def _report(
    name: str, driver: Driver | None, cases: list[SecretCase], events: list[AuditCase]
) -> tuple[list[str], ...]:
    if driver is None:
        sys.stdout.write(f"{name:<26} not installed\n")
        return [], [], []
    mine = [case for case in cases if isinstance(driver, Logweir) or case.logged.via != "audit"]
    counted = [case for case in mine if not case.hard]
    seen, lost = leaking(driver, counted)
    hard, _ = leaking(driver, [case for case in mine if case.hard])
    wrong = wrongly_masked(driver, events)
    total = sum(len(list(leaves(case.fields))) for case in events)
    with_pieces = sum(bool(case.visible) for case in counted)
    recall = 100 * (1 - len(seen) / max(1, len(counted)))
    sys.stdout.write(
        f"{name:<26} masked {len(counted) - len(seen):>4} of {len(counted)} ({recall:.1f} %)   "
        f"hard {sum(case.hard for case in mine) - len(hard)} of {sum(case.hard for case in mine)}   "
        f"lost more than the secret {len(lost)} of {with_pieces}   "
        f"harmless leaves masked {len(wrong)} of {total} ({100 * len(wrong) / total:.2f} %)\n"
    )
    return seen, lost, wrong


def main() -> None:
    """Print the figures of each; failures only if they are asked for."""
    arguments = _arguments()
    cases, events = _chosen(arguments), audit_cases()
    families = Counter(case.family for case in cases if not case.hard)
    sys.stdout.write(
        f"{sum(families.values())} shapes of secrets, {len(events)} harmless events, seed {arguments.seed}\n"
    )
    with _drivers(alone=arguments.alone) as drivers:
        for name, driver in drivers:
            failures = _report(name, driver, cases, events)
            if name == "logweir" and arguments.show_failures:
                for title, names in zip(
                    ("visible", "lost more", "harmless but masked"), failures, strict=True
                ):
                    sys.stdout.writelines(f"  {title}: {each}\n" for each in names)


if __name__ == "__main__":
    main()
