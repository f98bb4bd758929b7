"""The table of ``logweir top``: a row for each sink, and as many columns as the terminal has room for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.console import Group
from rich.table import Table
from rich.text import Text

from logweir.cli.metrics_client import Picture, SinkRow
from logweir.cli.printable import printable, sized
from logweir.delivery.elsewhere.presence import UNATTENDED_AFTER

__all__ = ["shown"]

_STYLES = {"healthy": "green", "opening": "yellow", "degraded": "yellow", "down": "bold red"}
_ALARM = "bold red"
#: A queue is shown as nearly full from this share on.
_NEARLY_FULL = 0.8
_WITH_WORDS = ("sink", "state")
_CIRCUITS = {"closed": "green", "half_open": "yellow", "open": "bold red"}
_NUMBERS = ("waiting", "aside", "bytes", "oldest", "in/s", "out/s", "p50", "p99", "fails", "dropped", "dead")
#: The columns behind the state where a sink has a fallback, and where the process delivers from a broker.
_OF_FALLBACKS = ("circuit",)
_OF_BROKERS = ("lag", "pending", "workers")
#: What a narrow terminal does without, in this order; names, states and losses it always has.
_DISPENSABLE = ("p50", "bytes", "p99", "in/s", "aside", "oldest", "workers", "out/s", "pending", "fails")
_GAP = 2
#: A broker that was read so many seconds ago is said to be silent.
_OLD_READING = 30.0


def shown(
    before: Picture, now: Picture, width: int, each: Mapping[str, tuple[Picture, Picture]] | None = None
) -> Group:
    """What happened between two looks, in ``width`` columns of a terminal.

    Args:
        before: The first look, at all processes.
        now: The second.
        width: Of the terminal.
        each: The same of each process, by its id, if there is to be a row for each.
    """
    rows = []
    for name in now.sinks:
        rows.append(_cells(SinkRow.between(name, before, now)))
        for process, (earlier, later) in (each or {}).items():
            if name in later.sinks:
                rows.append(_cells(SinkRow.between(name, earlier, later), process))
    ages = {name: age for name in now.sinks if (age := now.age(name)) is not None}
    circuits = _OF_FALLBACKS if any(row["circuit"] for row in rows) else ()
    words = (*(("process",) if each else ()), *_WITH_WORDS, *circuits)
    columns = _fitting(rows, width, (*words, *(_OF_BROKERS if ages else ()), *_NUMBERS))
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        left = name in words
        # Names are broken rather than cut, where nothing else helps.
        table.add_column(name, justify="left" if left else "right", no_wrap=name != "sink", overflow="fold")
    for row in rows:
        table.add_row(*(row[name] for name in columns))
    noted = ", ".join(f"{count:,.0f} {printable(what)}" for what, count in _notes(now, ages).items() if count)
    return Group(table, Text(noted, style="yellow")) if noted else Group(table)


def _notes(now: Picture, ages: Mapping[str, float]) -> dict[str, float]:
    """What stands below the table, with its number."""
    processes = now.value("processes")
    notes = {
        "processes": processes if processes > 1 else 0,
        "events unrouted": now.value("events_unrouted_total"),
        "unreadable lines": now.value("dead_letters"),
    }
    notes |= {
        f"events of {name} in its fallback, which come back": now.value("fallback_events", name)
        for name in now.sinks
    }
    silent = {name: now.value("worker_silent_seconds", name) for name in now.sinks}
    notes |= {
        f"s without a worker: nobody delivers to {name}": seconds
        for name, seconds in silent.items()
        if seconds >= UNATTENDED_AFTER
    }
    notes |= {
        f"s since the broker of {name} was read": age for name, age in ages.items() if age >= _OLD_READING
    }
    return notes


def _fitting(rows: list[dict[str, Text]], width: int, names: Sequence[str]) -> list[str]:
    widths = {name: max([len(name), *(cell_len(row[name].plain) for row in rows)]) for name in names}
    columns = list(names)
    for name in filter(columns.__contains__, _DISPENSABLE):
        if sum(widths[column] + _GAP for column in columns) - _GAP <= width:
            break
        columns.remove(name)
    return columns


def _cells(row: SinkRow, process: str = "all") -> dict[str, Text]:
    nearly_full = row.waiting >= row.limit * _NEARLY_FULL > 0
    return {
        "process": Text(process),
        "sink": Text(printable(row.sink)),
        "state": Text(printable(row.state), style=_STYLES.get(row.state, "")),
        "circuit": Text(printable(row.circuit), style=_CIRCUITS.get(row.circuit, "")),
        "lag": Text(f"{row.broker_lag:,.0f}"),
        "pending": Text(f"{row.broker_pending:,.0f}"),
        "workers": Text(f"{row.broker_consumers:,.0f}"),
        "waiting": Text(f"{row.waiting:,.0f}", style=_ALARM if nearly_full else ""),
        "aside": _alarming(row.set_aside),
        "bytes": Text(sized(row.waiting_bytes)),
        "oldest": Text(f"{row.oldest_seconds:,.1f} s"),
        "in/s": Text(f"{row.accepted_per_second:,.0f}"),
        "out/s": Text(f"{row.stored_per_second:,.0f}"),
        "p50": Text(_milliseconds(row.write_p50)),
        "p99": Text(_milliseconds(row.write_p99)),
        "fails": Text(f"{row.failures:,.0f}"),
        "dropped": _alarming(row.dropped),
        "dead": _alarming(row.dead_letters),
    }


def _alarming(count: float) -> Text:
    return Text(f"{count:,.0f}", style=_ALARM if count else "")


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:,.1f} ms"
