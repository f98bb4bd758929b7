"""A model of a fleet that you can run: hosts that log, brokers, workers; what waits where, and for how long.

``python -m logweir.benchmarks.fleet_model --hosts 1000 --rate 1000000 --workers 80`` needs no server and no
other machine: it simulates. Its numbers are costs that you measure (``python -m logweir.benchmarks broker``
and ``sinks-cpu``) or take from the page on sizing; what it adds to a division on paper are queues: outages,
the way back from them, batches that are not full, processes that share processors.

A host collects events and sends a batch at a time to its broker node; a node does one thing at a time, as a
Redis does; a worker leases a batch from the fullest partition, works on it with its processor, waits for the
store, and settles. Every cost is a constant: what varies in the model is who has to wait for whom.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields

from logweir.benchmarks.fleet import Fleet, Outcome
from logweir.benchmarks.fleet_simulation import simulate

__all__ = ["Fleet", "Outcome", "main", "simulate"]


def _report(fleet: Fleet, outcome: Outcome) -> str:
    of, busy = fleet.capacity, outcome.busy
    median, late = (1000 * delay for delay in outcome.delays)
    at_most, spooled = outcome.most_waiting, outcome.most_spooled
    least = f"hosts {fleet.of_hosts:,.0f}, broker {fleet.of_nodes:,.0f}, workers {fleet.of_workers:,.0f}"
    lines = [
        ("can deliver", f"{of:,.0f} events/s: {least}"),
        ("logged, delivered", f"{outcome.arrived:,}, {outcome.delivered:,}"),
        ("workers busy", f"{sum(busy) / len(busy):.0%} ({min(busy):.0%} to {max(busy):.0%})"),
        ("broker nodes busy", f"{max(outcome.node_busy):.0%} at most"),
        ("most in the broker", f"{at_most:,} events, {at_most * fleet.size / 2**20:,.0f} MiB"),
        ("most on all hosts", f"{spooled:,} events, {spooled // fleet.hosts:,} on each"),
        ("caught up at", f"{outcome.caught_up:.1f} s" if outcome.caught_up else "never behind by a second"),
        ("published to settled", f"{median:,.0f} ms, 99 of 100 within {late:,.0f} ms"),
    ]
    return "\n".join(f"{name:<22}{value}" for name, value in lines)


def _times(text: str) -> tuple[float, float]:
    begin, _, end = text.partition("-")
    return float(begin), float(end)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the fleet from options, run it and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m logweir.benchmarks.fleet_model", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    meanings = _meanings()
    for each in fields(Fleet):
        kind = _times if isinstance(each.default, tuple) else type(each.default)
        shown = "BEGIN-END" if kind is _times else each.name.upper()
        parser.add_argument(
            f"--{each.name.replace('_', '-')}", type=kind, default=each.default, metavar=shown,
            help=f"{meanings[each.name]} ({each.default})",
        )  # fmt: skip
    fleet = Fleet(**vars(parser.parse_args(arguments)))
    try:
        outcome = simulate(fleet)
    except ValueError as error:
        parser.error(str(error))
    print(_report(fleet, outcome))  # noqa: T201 - the report is the output


def _meanings() -> dict[str, str]:
    """What the docstring says of each number."""
    found, name = {}, ""
    for line in (Fleet.__doc__ or "").partition("Attributes:")[2].splitlines():
        before, colon, after = line.strip().partition(": ")
        if colon and before.isidentifier():
            name, found[before] = before, after
        elif name:
            found[name] += f" {line.strip()}"
    return {key: text.strip() for key, text in found.items()}


if __name__ == "__main__":
    main()
