"""The model of a fleet gives what can be reckoned on paper, where paper suffices."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from logweir.benchmarks.fleet_model import Fleet, main, simulate

FLEET = Fleet(hosts=20, rate=20_000, seconds=10, overhead=0.0, workers=2, at_once=4)


@pytest.mark.parametrize(
    "fleet",
    [
        FLEET,
        replace(FLEET, workers=5),
        replace(FLEET, cores=3, forward=10e-6),
        replace(FLEET, nodes=3, partitions=12, publish=100e-6),
    ],
)
def test_a_worker_is_busy_as_often_as_there_is_work_for_it(fleet: Fleet) -> None:
    outcome = simulate(fleet)
    assert outcome.delivered == outcome.arrived == pytest.approx(fleet.rate * fleet.seconds, rel=0.01)
    assert sum(outcome.busy) == pytest.approx(fleet.rate * fleet.work, rel=0.05)
    assert sum(outcome.node_busy) == pytest.approx(fleet.rate * (fleet.publish + fleet.deliver), rel=0.05)
    assert min(outcome.busy) == pytest.approx(max(outcome.busy), rel=0.1)


@pytest.mark.parametrize("away", ["broker_down", "store_down"])
def test_after_an_outage_what_waited_is_caught_up_with_at_the_speed_that_is_left(away: str) -> None:
    fleet = replace(FLEET, seconds=40, publish=1e-6, deliver=1e-6, **{away: (5.0, 15.0)})
    outcome = simulate(fleet)
    waited = outcome.most_spooled if away == "broker_down" else outcome.most_waiting
    assert waited == pytest.approx(10 * fleet.rate, rel=0.05)
    assert outcome.delivered == outcome.arrived
    # It counts as caught up with a second of arrivals still waiting.
    assert outcome.caught_up - 15 == pytest.approx(fleet.catching_up(9 * fleet.rate), rel=0.15)


def test_a_fleet_that_is_too_small_falls_behind_by_what_it_lacks() -> None:
    fleet = replace(FLEET, workers=1, rate=30_000, work=50e-6)
    outcome = simulate(fleet)
    assert outcome.most_waiting == pytest.approx((30_000 - 20_000) * fleet.seconds, rel=0.05)
    assert outcome.drained == pytest.approx(15, rel=0.05)
    assert outcome.caught_up > fleet.seconds
    assert fleet.catching_up(1) == float("inf")


def test_the_store_bounds_a_worker_that_waits_for_it_and_more_batches_at_once_help() -> None:
    slow = replace(FLEET, workers=1, at_once=1, store=0.1, rate=0.01, waiting=20_000)
    assert slow.of_workers == pytest.approx(500 / (500 * 49e-6 + 0.1))
    assert simulate(slow).drained == pytest.approx(20_000 / slow.of_workers, rel=0.1)
    faster = replace(slow, at_once=3)
    assert faster.of_workers == pytest.approx(3 * slow.of_workers)
    assert simulate(faster).drained == pytest.approx(20_000 / faster.of_workers, rel=0.15)


def test_processors_that_are_shared_bound_all_processes_together() -> None:
    fleet = replace(FLEET, cores=2, workers=8, hosts=1, rate=0.01, waiting=100_000, store=0.0)
    # Nothing more is published, so that of the broker only its part of the delivery counts.
    assert simulate(fleet).drained == pytest.approx(100_000 * (40e-6 + 9e-6) / 2, rel=0.1)
    assert fleet.capacity == pytest.approx(2 / (40e-6 + 40e-6 + 6e-6 + 9e-6))


def test_unequal_partitions_lose_nothing_and_keep_all_workers_busy() -> None:
    outcome = simulate(replace(FLEET, skew=0.9, workers=4))
    assert outcome.delivered == outcome.arrived
    assert min(outcome.busy) == pytest.approx(max(outcome.busy), rel=0.1)


def test_the_same_numbers_give_the_same_outcome() -> None:
    assert simulate(FLEET) == simulate(FLEET)


def test_it_runs_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--hosts", "5", "--rate", "2000", "--seconds", "10", "--broker-down", "2-4"])
    said = capsys.readouterr().out
    assert "20,000, 20,000" in said
    assert "800 on each" in said
    with pytest.raises(SystemExit) as end:
        main(["--workers", "0"])
    assert end.value.code == 2
    assert "a fleet without workers delivers nothing" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "Events a second, of all hosts together." in capsys.readouterr().out


@pytest.mark.soak
@pytest.mark.skipif(os.environ.get("LOGWEIR_SOAK") != "long", reason="45 million events take some seconds")
def test_the_page_on_sizing_shows_what_the_model_says(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[3] / "docs/how-to/sizing.md").read_text()
    block = page.split("$ python -m logweir.benchmarks.fleet_model ")[1].split("```")[0]
    options, _, shown = block.replace("\\\n", " ").partition("\n")
    main(options.split())
    assert capsys.readouterr().out == shown
