"""How the double of Loki reads label sets, sizes and its command line."""

from pathlib import Path

import pytest

from servers.loki_double.labels import format_labels, parse_labels, with_service
from servers.loki_double.options import parse_arguments
from servers.loki_double.quoting import quote, unquote
from servers.loki_double.units import parse_duration, parse_size, show_duration, show_size

PLACE = ["-port=1", "-data=/tmp"]


def test_labels_come_in_order_of_their_names_and_empty_ones_are_none() -> None:
    assert parse_labels('{b="2", a="1",c=""}') == (("a", "1"), ("b", "2"))
    assert parse_labels(r'{a="\"\n\u00df\\", b=`\n`}') == (("a", '"\nß\\'), ("b", r"\n"))
    assert parse_labels("{}") == ()
    assert format_labels((("a", '1"'), ("b", "ß"))) == r'{a="1\"", b="ß"}'


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "{", '{a="1"', '{a-b="1"}', '{1a="1"}', "{a=1}", '{a="1" b="2"}', '{a="1",,b="2"}',
        r'{a="\q"}', r'{a="\ud83d"}', '{a!="1"}', '{a="1"} x',
    ],
)  # fmt: skip
def test_what_is_no_label_set_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_labels(text)


def test_what_is_quoted_comes_back() -> None:
    for text in ("", "plain", 'a"b\\c\n\t', "ß€😀", "\x00\x7f"):
        assert unquote(quote(text)) == text


def test_the_service_is_the_first_label_of_lokis_list() -> None:
    assert dict(with_service((("app", "a"), ("service", "s"))))["service_name"] == "s"
    assert dict(with_service((("job", "j"), ("app", "a"))))["service_name"] == "a"
    assert dict(with_service((("appname", "a"),)))["service_name"] == "unknown_service"
    assert with_service((("service_name", "own"),)) == (("service_name", "own"),)


def test_sizes_and_durations_are_read_and_shown_as_loki_writes_them() -> None:
    for text, size in (("1MB", 1 << 20), ("256KB", 1 << 18), ("384B", 384), ("3mb", 3 << 20), ("7", 7)):
        assert parse_size(text) == size
    assert [show_size(size) for size in (1 << 20, 65536, 384, 1126)] == ["1MB", "64KB", "384B", "1.1KB"]
    for text in ("1w", "4w2d1h", "10m", "1s500ms", "0s"):
        assert show_duration(parse_duration(text)) == text
    for wrong in ("", "1", "x", "1y"):
        with pytest.raises(ValueError):
            parse_duration(wrong)


def test_flags_are_lokis_and_the_last_one_counts() -> None:
    options = parse_arguments(
        [
            *PLACE,
            "-distributor.max-line-size=1MB",
            "--distributor.max-line-size=2MB",
            "-shard-streams.enabled=false",
        ]
    )
    assert options.data == Path("/tmp")
    assert options.limits.max_line_size == 2 << 20
    assert options.limits.per_stream_rate_limit == 3 << 20
    assert options.auth_enabled
    for wrong in ("-unknown=1", "-auth.enabled", "-auth.enabled=yes", "auth", "-store.max-query-length=x"):
        with pytest.raises(ValueError):
            parse_arguments([*PLACE, wrong])
    with pytest.raises(ValueError, match="-data"):
        parse_arguments(["-port=1"])


def test_loki_2_takes_structured_metadata_only_if_asked() -> None:
    assert parse_arguments(PLACE).limits.allow_structured_metadata
    old = parse_arguments([*PLACE, "-version=2.9"])
    assert not old.limits.allow_structured_metadata
    assert not old.limits.discover_service_name
    assert parse_arguments(
        [*PLACE, "-version=2.9", "-validation.allow-structured-metadata=true"]
    ).limits.allow_structured_metadata
