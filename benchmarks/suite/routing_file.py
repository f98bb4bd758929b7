"""A routing.yaml from a recommendation: audit to the one chosen backend, tracing to the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from logweir.benchmarks.suite.recommend import Recommendation
from logweir.benchmarks.suite.results import Results
from logweir.errors import LogweirError

__all__ = ["routing_yaml"]

_HEAD = """\
# Written by `logweir bench recommend` from the {profile} run of {started}.
# audit: {audit}; tracing: {tracing}. Look at the reasons it gave, and at what it had to extrapolate.
"""


def routing_yaml(recommendations: Sequence[Recommendation], results: Results) -> str:
    """Return the file.

    Raises:
        LogweirError: For one of the kinds no measured backend will do.
    """
    chosen = {item.kind: item.winner for item in recommendations}
    missing = [kind for kind, winner in chosen.items() if winner is None]
    if missing:
        raise LogweirError(f"no measured backend will do for {' and '.join(missing)}; measure others")
    names = {kind: winner.backend for kind, winner in chosen.items() if winner is not None}
    sinks: dict[str, Any] = {"audit_db": results.backends[names["audit"]].settings}
    if names["tracing"] == names["audit"]:
        sinks["logs"] = _apart(results.backends[names["tracing"]].settings)
    else:
        sinks["logs"] = results.backends[names["tracing"]].settings
    document = {
        "version": 1,
        "service": "${SERVICE:-my-service}",
        "env": "${APP_ENV:-dev}",
        "data_dir": ".logweir",
        "strategy": "separated",
        "sinks": sinks,
    }
    head = _HEAD.format(
        profile=results.profile, started=results.started, audit=names["audit"], tracing=names["tracing"]
    )
    return head + yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def _apart(settings: dict[str, Any]) -> dict[str, Any]:
    """The same backend for both kinds, each in a store of its own."""
    renamed = {
        "table": "tracing_log",
        "collection": "tracing_log",
        "index": "tracing-log",
        "path": "logs/tracing.jsonl",
    }
    return {**settings, **{key: value for key, value in renamed.items() if key in settings}}
