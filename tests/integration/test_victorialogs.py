"""What the VictoriaLogs sink promises beyond the contract, on the real server."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

import logweir
from logweir.cli.app import app
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event, Kind, new_event_id
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.results import HealthStatus
from logweir.sinks.victorialogs.config import VictoriaLogsConfig
from logweir.sinks.victorialogs.sink import VictoriaLogsSink
from logweir.testing.contract import AWKWARD_FIELDS, assert_law, make_event
from servers import FaultProxy, Server
from servers.server import OwnServer
from support import victorialogs as store
from support.tls import make_certificate, tls_relay

DAY = 86_400 * 10**9
MOMENT = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 10**9
#: What a server has that was started with nothing but an address.
DEFAULTS = [
    "-retentionPeriod=7d",
    "-futureRetention=2d",
    "-insert.maxLineSizeBytes=262144",
    "-delete.enable=false",
]

OwnServers = Callable[..., OwnServer]


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[VictoriaLogsSink]:
    options = {"static_fields": {"job": new_event_id()}, "retry": {"timeout": 60}, **options}
    sink = VictoriaLogsSink(
        VictoriaLogsConfig.model_validate({"url": url, **options}), SinkContext(name="logs", workers=2)
    )
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


async def found(sink: VictoriaLogsSink, **query: Any) -> list[Event]:
    await asyncio.to_thread(store.show, sink.config.url)
    return await shown(sink, **query)


async def shown(sink: VictoriaLogsSink, **query: Any) -> list[Event]:
    return [event async for event in sink.search(Query(**{"limit": None, **query}))]


def ids(events: Sequence[Event]) -> list[str]:
    return [event.id for event in events]


def selector(sink: VictoriaLogsSink) -> str:
    return f'{{job="{sink.config.static_fields["job"]}"}}'


# -- reading --------------------------------------------------------------------------------------------


async def test_what_was_sent_twice_is_kept_twice_and_shown_once(victorialogs: Server) -> None:
    batch = [make_event(number=number, time_ns=MOMENT + number // 3) for number in range(30)]
    async with opened(victorialogs.url) as sink:
        await sink.write(batch)
        await sink.write(batch[::-1])
        expected = sorted(batch, key=lambda event: (event.time, event.id))
        assert ids(await found(sink)) == ids(expected)
        assert ids(await found(sink, newest_first=True)) == ids(expected[::-1])
        assert ids(await found(sink, limit=7)) == ids(expected[:7])
        rows = store.rows(victorialogs.url, f"{selector(sink)} | stats count() n, count_uniq(id) ids")
        assert (rows[0]["n"], rows[0]["ids"]) == ("60", "30")


async def test_a_search_reads_page_after_page_through_many_events_of_one_nanosecond(
    victorialogs: Server,
) -> None:
    batch = [make_event(number=number, time_ns=MOMENT + (number > 900)) for number in range(1_300)]
    async with opened(victorialogs.url) as sink:
        await sink.write(batch)
        expected = sorted(batch, key=lambda event: (event.time, event.id))
        assert ids(await found(sink)) == ids(expected)
        assert ids(await found(sink, newest_first=True)) == ids(expected[::-1])


async def test_nothing_that_is_searched_for_is_taken_for_logsql(victorialogs: Server) -> None:
    hostile = [
        '" or *',
        "') | delete id",
        "a\\",
        '\\"',
        "*",
        "x\ny",
        "`",
        "| stats count()",
        '{job=~".*"}',
        "\u2028",
        "ß 🎉",
    ]
    batch = [make_event(text, {text: text, "id": text}, time_ns=MOMENT + n) for n, text in enumerate(hostile)]
    async with opened(victorialogs.url) as sink, opened(victorialogs.url) as other:
        await other.write([make_event("somebody else's")])
        await sink.write(batch)
        assert len(await found(sink)) == len(batch)
        for event, text in zip(batch, hostile, strict=True):
            for query in ({"name": text}, {"fields": {text: text}}, {"fields": {"id": text}}):
                assert ids(await shown(sink, **query)) == [event.id], query
            assert event.id in ids(await shown(sink, text=text))
            for query in ({"trace_id": text}, {"ids": frozenset({text})}):
                assert await shown(sink, **query) == [], query
        assert len(await shown(other)) == 1


@pytest.mark.parametrize(
    "texts",
    [
        ["007", "7", "0", "-0", "+1", "1_000"],
        ["1.0", "1", "1.50", "-0.0", "1e5", "0x10", "1e400", "5e-324", "NaN", "inf"],
        [
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.000Z",
            "2026-02-30T00:00:00Z",
            "1970-01-01T00:00:00.1+01:00",
        ],
        ["10.0.0.1", "010.0.0.1", "10.0.0.256", "::1"],
        ["1KB", "1KiB", "1024B", "10s", "10000ms", "1h0m0s"],
        ["true", "false", "null", "-", " ", "a ", "\t", "\u0000", "\u2028", "\r\n", "ß", "\ufeff"],
        [0, -1, 255, 256, 2**32, 2**53 + 1, 2**63 - 1, -(2**63)],
        [0.0, -0.0, 0.1, 1.0, 1e16, 1e22, 5e-324, 1.7976931348623157e308, 2.5],
    ],
    ids=["integers", "numbers", "times", "addresses", "quantities", "words", "int", "float"],
)
async def test_what_the_store_packs_as_numbers_or_times_comes_back_sign_by_sign(
    victorialogs: Server, texts: list[Any]
) -> None:
    """It looks at the values of a column in a block and stores those of one kind packed."""
    batch = [make_event("x", value=text, time_ns=MOMENT + number) for number, text in enumerate(texts * 3)]
    async with opened(victorialogs.url) as sink:
        await sink.write(batch)
        assert [repr(event.fields["value"]) for event in await found(sink)] == list(map(repr, texts * 3))
        for text in texts:
            wanted = [event.id for event in batch if event.fields["value"] == text]
            assert ids([one async for one in sink.search(Query(fields={"value": text}))]) == wanted, text


async def test_a_server_is_verified_as_the_options_say(victorialogs: Server, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    with tls_relay(victorialogs.host, victorialogs.port, certificate, key) as port:
        url = f"https://127.0.0.1:{port}"
        async with opened(url, tls={"ca": certificate}) as sink:
            assert_law(await sink.write([make_event()]), 1)
        async with opened(url) as sink:
            with pytest.raises(SinkUnavailable, match="certificate verify failed"):
                await sink.write([make_event()])
        with pytest.raises(SinkUnavailable, match="a file of tls cannot be used"):
            async with opened(url, tls={"ca": tmp_path / "absent.pem"}):
                pass


async def test_a_text_is_found_in_names_and_values_of_any_type(victorialogs: Server) -> None:
    batch = [
        make_event("fund.refund", note="The quick brown fox", inner={"deep": ["Jumps over"]}),
        make_event("Payment was declined", code=5.1e-06),
        make_event("odd", {"": "in one column"}),
    ]
    async with opened(victorialogs.url) as sink:
        await sink.write(batch)
        for text, names in {
            "quick brown": ["fund.refund"],
            "brown quick": [],
            "Jumps": ["fund.refund"],
            "was declined": ["Payment was declined"],
            "5.1e-6": ["Payment was declined"],
            "one col": ["odd"],
            '"code":5.1e-6': [],
            "code": ["Payment was declined"],
            "deep": ["fund.refund"],
        }.items():
            assert [event.name for event in await found(sink, text=text)] == names, text


def test_what_is_migrated_is_copied_once_though_the_store_shows_it_late(
    victorialogs: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job = new_event_id()
    target = f"{{type: victorialogs, url: '{victorialogs.url}', static_fields: {{job: {job}}}}}"
    sinks = f"sinks: {{old: {{type: file, path: old.jsonl}}, new: {target}}}"
    Path("routing.yaml").write_text(f"{sinks}\nroutes: [{{name: all, to: [old]}}]\n")
    with logweir.running("routing.yaml") as runtime:
        for number in range(300):
            runtime.emit("order.placed", {"number": number})
    done = CliRunner().invoke(app, ["migrate", "--from", "old", "--to", "new"])
    assert done.exit_code == 0, done.output
    (counted,) = store.rows(victorialogs.url, f'{{job="{job}"}} | stats count() n, count_uniq(id) ids')
    assert counted == {"n": "300", "ids": "300"}
    found = CliRunner().invoke(app, ["query", "--sink", "new", "--field", "number=7", "--json"])
    assert found.stdout.count("\n") == 1


async def test_entries_of_others_in_the_stream_are_passed_over(victorialogs: Server) -> None:
    async with opened(victorialogs.url) as sink:
        await sink.write([make_event()])
        line = {"_time": str(time.time_ns()), "_msg": "somebody else's", **sink.config.static_fields}
        url = f"{victorialogs.url}/insert/jsonline?_stream_fields=job"
        async with httpx.AsyncClient(verify=False) as client:
            (await client.post(url, json=line)).raise_for_status()
        assert len(store.rows(victorialogs.url, selector(sink))) == 2
        assert len(await found(sink)) == 1


async def test_events_are_counted_by_hour_and_level(victorialogs: Server) -> None:
    batch = [make_event(time_ns=MOMENT + number * DAY // 48) for number in range(4)]
    async with opened(victorialogs.url) as sink:
        await sink.write(batch)
        await sink.write(batch[:1])
        await found(sink)
        query = f"{selector(sink)} | stats by (_time:1h, level) count_uniq(id) as events | sort by (_time)"
        rows = store.rows(victorialogs.url, query)
        assert [(row["level"], row["events"]) for row in rows] == [("info", "2"), ("info", "2")]


async def test_tenants_do_not_see_each_other(victorialogs: Server) -> None:
    job = {"job": new_event_id()}
    tenants = [{}, {"account_id": 1}, {"project_id": 1}, {"account_id": 2**32 - 1, "project_id": 2**32 - 1}]
    for tenant in tenants:
        async with opened(victorialogs.url, static_fields=job, **tenant) as sink:
            assert await found(sink) == []
            await sink.write([make_event()])
            assert len(await found(sink)) == 1


async def test_a_field_is_the_message_where_the_options_say_so(victorialogs: Server) -> None:
    batch = [
        make_event("a", note="What happened"),
        make_event("b"),
        make_event("c", note=7),
        make_event("d", AWKWARD_FIELDS, note="in one column"),
    ]
    async with opened(victorialogs.url, message_field="note") as sink:
        await sink.write(batch)
        assert [event.fields for event in await found(sink)] == [event.fields for event in batch]
        assert ids(await found(sink, fields={"note": "What happened"})) == ids(batch[:1])
        assert ids(await found(sink, fields={"note": 7})) == ids(batch[2:3])
        assert [ids(await found(sink, name=name)) for name in "abcd"] == [[event.id] for event in batch]
        rows = store.rows(victorialogs.url, f"{selector(sink)} | sort by (_time)")
        assert [row["_msg"] for row in rows] == ["What happened", "b", "7", "d"]


# -- what the server would drop without a word ----------------------------------------------------------


async def test_no_event_is_lost_to_names_that_are_too_many_together(victorialogs: Server) -> None:
    """VictoriaLogs drops what makes a block of a stream exceed 2,000 names, whoever's names they are."""
    batch = [
        make_event("x", {f"user_{number}_{part}": number for part in range(3)}) for number in range(1_000)
    ]
    async with opened(victorialogs.url) as sink:
        assert_law(await sink.write(batch), 1_000)
        assert ids(await found(sink)) == ids(batch)
        assert ids(await found(sink, fields={"user_999_2": 999})) == ids(batch[-1:])


async def test_events_beyond_the_retention_are_rejected_with_the_flag_and_the_others_are_there(
    own_server: OwnServers, caplog: pytest.LogCaptureFixture
) -> None:
    server = own_server("victorialogs", args=DEFAULTS)
    now = time.time_ns()
    times = [0, now - 9 * DAY, now - 6 * DAY, now, now + 36 * 3600 * 10**9, now + 4 * DAY]
    batch = [make_event(time_ns=moment) for moment in times]
    async with opened(server.url) as sink:
        result = await sink.write(batch)
        assert set(result.rejected) == {0, 1, 5}
        assert "-retentionPeriod, 7 days" in result.rejected[1]
        assert "-futureRetention, 2 days" in result.rejected[5]
        assert ids(await found(sink)) == ids([batch[2], batch[3], batch[4]])
        assert "-retentionPeriod" in caplog.text
        assert dropped(server) == 0
        health = await sink.check()
        assert health.status is HealthStatus.OK
        assert "keeps 7 days; takes 2 days ahead; deletes nothing" in health.detail
        assert "at least once" in health.detail

        long = make_event(body="ß" * 400_000, user="ann")
        assert_law(await sink.write([long, make_event()]), 2)
        (cut,) = await found(sink, ids=frozenset({long.id}))
        assert (cut.fields["user"], cut.fields["logweir_truncated"]) == ("ann", True)
        assert 100_000 < len(cut.fields["body"].encode()) < 262_144

        for deletion in (sink.delete([long.id]), sink.prune(datetime.now(UTC))):
            with pytest.raises(SinkRejected, match=re.escape("start it with -delete.enable")):
                await deletion
    async with opened(server.url, retention={"after": "7d"}) as sink:
        assert (await sink.check()).status is HealthStatus.DEGRADED


def dropped(server: Server) -> float:
    metrics = httpx.get(f"{server.url}/metrics", timeout=60, verify=False).text
    return sum(
        float(line.split()[-1])
        for line in metrics.splitlines()
        if line.startswith(("vl_rows_dropped_total", "vl_too_long_lines_skipped_total"))
    )


async def test_a_server_that_was_started_anew_with_a_longer_retention_is_believed(
    own_server: OwnServers,
) -> None:
    server = own_server("victorialogs", args=DEFAULTS)
    clock = time.time_ns()
    old = make_event(time_ns=clock - 9 * DAY)
    job = {"static_fields": {"job": new_event_id()}}
    sink = VictoriaLogsSink(VictoriaLogsConfig.model_validate({"url": server.url, **job}), now=lambda: clock)
    await sink.open()
    try:
        assert set((await sink.write([old])).rejected) == {0}
        server.stop()
        server._programs[0].argv.append("-retentionPeriod=30d")
        server.start()
        clock += 11 * 10**9
        assert_law(await sink.write([old]), 1)
    finally:
        await sink.close()


async def test_a_server_that_shows_nothing_is_degraded_and_a_wrong_login_costs_no_event(
    own_server: OwnServers, proxy: Callable[[Server], FaultProxy]
) -> None:
    secret = "hunter2-hunter2"
    args = [
        "-httpAuth.username=app",
        f"-httpAuth.password={secret}",
        "-flagsAuthKey=other",
        "-metricsAuthKey=other",
    ]
    server = own_server("victorialogs", args=args)
    login = {"username": "app", "password": secret}
    async with opened(server.url, **login) as sink:
        assert_law(await sink.write([make_event(time_ns=0)]), 1)
        health = await sink.check()
        assert health.status is HealthStatus.DEGRADED
        assert "state retention_period" in health.detail
    async with opened(server.url, **login, retention_period="7d") as sink:
        assert set((await sink.write([make_event(time_ns=0)])).rejected) == {0}
        assert (await sink.check()).status is HealthStatus.OK
    async with opened(server.url, username="app", password="wrong-wrong") as sink:
        with pytest.raises(SinkUnavailable, match="check username and password") as raised:
            await sink.write([make_event()])
        assert "wrong-wrong" not in str(raised.value)
        assert (await sink.check()).status is HealthStatus.DOWN


async def test_an_answer_that_took_as_long_as_the_server_waits_counts_as_none(
    own_server: OwnServers, proxy: Callable[[Server], FaultProxy]
) -> None:
    server = own_server("victorialogs", args=["-insert.maxQueueDuration=200ms"])
    fault = proxy(server)
    async with opened(fault.url, retry={"timeout": 5}) as sink:
        fault.latency(0.3)
        with pytest.raises(SinkUnavailable, match="maxQueueDuration"):
            await sink.write([make_event()])


async def test_a_server_that_takes_few_fields_of_an_event_loses_none(own_server: OwnServers) -> None:
    server = own_server("victorialogs", args=["-insert.maxFieldsPerLine=30"])
    batch = [
        make_event("x", {f"field_{number}": number for number in range(count)}, time_ns=MOMENT + count)
        for count in (5, 15, 17, 20, 30, 40)
    ]
    async with opened(server.url) as sink:
        assert_law(await sink.write(batch), len(batch))
        assert [event.fields for event in await found(sink)] == [event.fields for event in batch]
        assert dropped(server) == 0
        assert "deletes nothing" not in (await sink.check()).detail


async def test_pruning_leaves_the_other_kind_and_what_is_newer(victorialogs: Server) -> None:
    batch = [
        make_event(time_ns=MOMENT + number // 2, kind=Kind.AUDIT if number % 2 else Kind.TRACING)
        for number in range(8)
    ]
    async with opened(victorialogs.url) as sink:
        await sink.write(batch)
        await sink.write(batch)
        await found(sink)
        before = datetime.fromtimestamp(MOMENT / 10**9, UTC) + timedelta(microseconds=1)
        assert await sink.prune(before, kind=Kind.AUDIT, limit=3) == 3
        assert len(await found(sink, kind=Kind.AUDIT)) == 1
        assert len(await found(sink, kind=Kind.TRACING)) == 4
        assert await sink.prune(before) == 5
        assert await found(sink) == []
