"""Which destination an event has, and that its values lead to no other place."""

import re
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from logweir.cli.app import app
from logweir.event import Event, Kind
from logweir.sinks.shared.destinations import Destinations, Template
from logweir.testing.contract import make_event

PATH = Template("logs/{service}/{fields.tenant}.jsonl")
OVERFLOW = PATH.filled("overflow")


def of_tenant(tenant: Any, **more: Any) -> Event:
    return make_event(fields={"tenant": tenant, **more})


def destinations(most: int = 100) -> Destinations:
    return Destinations(PATH, most, OVERFLOW, lambda text: "impossible" not in text)


def test_a_destination_is_named_by_the_values_of_an_event() -> None:
    assert PATH.render(of_tenant("acme")) == "logs/contract-service/acme.jsonl"
    assert PATH.render(of_tenant(7)) == "logs/contract-service/7.jsonl"
    template = Template("{kind}-{level}-{env}-{fields.user.org}")
    event = make_event(kind=Kind.AUDIT, fields={"user": {"org": "a.b_c-1"}})
    assert template.render(event) == "audit-info-test-a.b_c-1"


@pytest.mark.parametrize(
    "value",
    ["", ".", "..", "../x", "a/b", "a\\b", "/etc/passwd", "a..b", ".hidden", "end.", "a b", "a|b", "a\n", "a\0b",
     "ä", "x" * 65, "***", "-rf", None, True, 1.5, -1, [], {"a": 1}],
)  # fmt: skip
def test_a_value_that_is_no_plain_name_leads_to_the_overflow(value: Any) -> None:
    assert PATH.render(of_tenant(value)) is None
    assert destinations().of(of_tenant(value)) == OVERFLOW


def test_an_event_without_the_value_goes_to_the_overflow_and_is_counted() -> None:
    found = destinations()
    assert found.of(make_event()) == OVERFLOW
    assert found.of(of_tenant("impossible")) == OVERFLOW
    assert (found.unnamed, found.beyond, len(found)) == (2, 0, 0)


def test_a_destination_too_many_is_the_overflow_and_those_that_are_known_stay() -> None:
    found = destinations(most=2)
    assert found.of(of_tenant("a")) != found.of(of_tenant("b"))
    assert found.of(of_tenant("c")) == OVERFLOW
    assert found.of(of_tenant("a")) == "logs/contract-service/a.jsonl"
    assert found.of(of_tenant("c")) == OVERFLOW
    assert (found.unnamed, found.beyond, len(found)) == (0, 2, 2)


@pytest.mark.parametrize(
    "text", ["{fields.}", "{tenant}", "{}", "{service", "service}", "{{service}}", "{id}"]
)
def test_a_template_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"placeholder|no template"):
        Template(text)


SIGNS = st.text(st.sampled_from("ab./\\-_|*?{}\0\n\r %:;,'\"~$ä"), max_size=70) | st.text(max_size=70)


@given(service=SIGNS, tenant=SIGNS)
def test_no_value_leads_out_of_its_place(service: str, tenant: str) -> None:
    event = make_event(tenant=tenant)
    event = Event(event.id, event.time, event.kind, "info", "x", service, "e", None, None, event.fields)
    found = PATH.render(event)
    if found is not None:
        parts = PurePosixPath(found).parts
        assert parts == ("logs", service, f"{tenant}.jsonl")
        assert ".." not in found
        assert re.fullmatch(r"[\w./-]+", found, re.ASCII)
        assert PATH.matches(found)


@given(tenants=st.lists(SIGNS | st.integers(0, 50).map(str), max_size=60), most=st.integers(1, 10))
def test_there_are_never_more_destinations_than_allowed_and_each_value_keeps_its_own(
    tenants: list[str], most: int
) -> None:
    found = destinations(most)
    first = [found.of(of_tenant(tenant)) for tenant in tenants]
    again = [found.of(of_tenant(tenant)) for tenant in tenants]
    assert first == again
    assert len({*first} - {OVERFLOW}) <= most
    for tenant, place in zip(tenants, first, strict=True):
        assert place in {OVERFLOW, f"logs/contract-service/{tenant}.jsonl"}


LOCAL = "{type: file, path: 'logs/%s.jsonl'}"


@pytest.mark.parametrize(
    ("sink", "words"),
    [
        (LOCAL % "{tenant}", "there is no placeholder {tenant}"),
        (LOCAL % "{service", "no template"),
        ("{type: file, path: '{service}.jsonl', overflow: ../x}", "cannot be a name"),
        ("{type: file, path: '{service}.jsonl', max_destinations: 0}", "max_destinations"),
        ("{type: sqlite, table: '{service}_log'}", "begins with a placeholder"),
        ("{type: sqlite, table: 'Audit_{service}'}", "cannot be a destination"),
        ("{type: sqlite, table: 'logweir_{service}', overflow: schema}", "cannot be a destination"),
        ("{type: sqlite, table: 'audit_{service}', outbox: true}", "an outbox stands beside one table"),
        ("{type: elasticsearch, url: 'http://e:9200', index: '{env}-app'}", "begins with a placeholder"),
        ("{type: opensearch, url: 'http://e:9200', index: 'App-{env}'}", "cannot be a destination"),
        (
            "{type: opensearch, url: 'http://e:9200', index: 'app-{env}-2026.01.01'}",
            "cannot be a destination",
        ),
        (
            "{type: elasticsearch, url: 'http://e:9200', index: 'app-{env}', overflow: Other}",
            "cannot be a destination",
        ),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_when_the_file_is_loaded(
    tmp_path: Path, sink: str, words: str
) -> None:
    file = tmp_path / "routing.yaml"
    file.write_text(f"sinks: {{one: {sink}}}\nroutes: [{{name: all, to: [one]}}]\n")
    result = CliRunner().invoke(app, ["check", "--config", str(file)])
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())
