"""The benchmarks of the relational store run, at tiny sizes; how fast is no matter of tests."""

from rich.console import Console

from logweir.benchmarks import mysql as writing
from logweir.benchmarks import sql_keys
from servers import Server


def test_the_sink_is_measured_beside_the_driver(mysql: Server) -> None:
    report = writing.measure(url=mysql.url, batches=2, batch=50, runs=1)
    assert [len(series.values) for series in report.series] == [1, 1, 1, 1]
    assert report.notes[0].startswith("MySQL ")


def test_keys_and_indexes_are_measured_step_by_step(mysql: Server) -> None:
    steps = sql_keys.measure(url=mysql.url, rows=2000, steps=2, indexes=[3])
    assert [(step.key, step.rows) for step in steps] == [
        ("UUIDv7", 1000),
        ("UUIDv7", 2000),
        ("UUIDv4", 1000),
        ("UUIDv4", 2000),
    ]
    assert all(step.written > 0 and step.amplification > 0 for step in steps)
    sql_keys.show(steps, Console(quiet=True))
