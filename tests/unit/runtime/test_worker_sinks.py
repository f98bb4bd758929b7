"""Which sinks the processes of a group deliver to."""

import pytest

from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.runtime.worker_sinks import Share, sinks_to_deliver


@pytest.fixture
def config() -> RoutingConfig:
    here = {"type": "null", "queue": {"type": "disk", "deliver": "elsewhere"}}
    there = {"type": "null", "queue": {"type": "redis", "url": "redis://h"}}
    sinks = {"a": here, "far": there, "b": here, "c": here, "own": {"type": "null"}}
    return load_config({"sinks": sinks, "routes": [{"name": "all", "to": ["a"]}]})


def test_processes_share_brokers_and_divide_what_comes_from_the_disk(config: RoutingConfig) -> None:
    assert sinks_to_deliver(config) == ["a", "far", "b", "c"]
    assert sinks_to_deliver(config, (), Share(0, 2)) == ["a", "far", "c"]
    assert sinks_to_deliver(config, (), Share(1, 2)) == ["far", "b"]
    assert sinks_to_deliver(config, (), Share(7, 8)) == ["far"]


def test_only_the_wanted_ones_are_divided(config: RoutingConfig) -> None:
    assert sinks_to_deliver(config, ["b", "c"], Share(0, 2)) == ["b"]
    assert sinks_to_deliver(config, ["b", "c"], Share(1, 2)) == ["c"]
