"""The collection: its indexes, each with its reason, and the commands that create them. Pure.

Every index costs each write and room on disk, so there are few. The order inside them is that of
MongoDB's own advice: what must be equal first, then what sorts, which is time. ``_id`` is the event's id,
a UUIDv7 that ascends with time, so its index grows at the right edge.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from logweir.sinks.mongodb.config import MongoConfig

__all__ = ["create_command", "index_command", "indexes", "missing_indexes", "script"]

Index = dict[str, Any]


def indexes(config: MongoConfig) -> list[Index]:
    """Return the indexes as the command ``createIndexes`` takes them."""
    partly = not config.time_series
    wanted = [
        # What happened when, of one kind or of both (a search without a kind names both, and the server
        # merges the two stretches in order of time); retention and migration walk along it.
        _index("kind_time", "kind"),
        # When did this happen: the history of one event name or audit action.
        _index("name_time", "name"),
        # One request across the stores, in order. Events without a trace take no room in it.
        _index("trace_time", "trace_id", partly=partly),
        # The fields that routing.yaml says are searched by.
        *(_index(f"field_{name}", f"fields.{name}", partly=partly) for name in _fields(config)),
    ]
    if _expires(config) and not config.time_series:
        # One index serves all kinds: each document says itself when it goes; those that stay are not in it.
        wanted.append({"key": {"expire_at": 1}, "name": "expire_at", "expireAfterSeconds": 0, "sparse": True})
    return wanted


def index_command(config: MongoConfig) -> dict[str, Any]:
    """Return the command that creates what is missing of the indexes."""
    return {"createIndexes": config.collection, "indexes": indexes(config)}


def create_command(config: MongoConfig) -> dict[str, Any] | None:
    """Return the command that must create the collection, if writing to it does not do."""
    if not config.time_series:
        return None
    options: dict[str, Any] = {"timeField": "time", "metaField": "service", "granularity": "seconds"}
    command: dict[str, Any] = {"create": config.collection, "timeseries": options}
    if config.ttl.tracing is not None:
        command["expireAfterSeconds"] = round(config.ttl.tracing)
    return command


def missing_indexes(config: MongoConfig, present: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the indexes that no present one stands for."""
    known = [_essence(index) for index in present]
    return [index["name"] for index in indexes(config) if _essence(index) not in known]


def script(config: MongoConfig) -> str:
    """Return the same as lines for ``mongosh``."""
    lines = [f"use {config.database_name}"]
    name = json.dumps(config.collection)
    create = create_command(config)
    if create is not None:
        options = {key: value for key, value in create.items() if key != "create"}
        lines.append(f"db.createCollection({name}, {json.dumps(options)})")
    for index in indexes(config):
        options = {key: value for key, value in index.items() if key != "key"}
        lines.append(
            f"db.getCollection({name}).createIndex({json.dumps(index['key'])}, {json.dumps(options)})"
        )
    return "".join(f"{line}\n" for line in lines)


def _index(name: str, first: str, *, partly: bool = False) -> Index:
    index: Index = {"key": {first: 1, "time": 1}, "name": name}
    if partly:
        index["partialFilterExpression"] = {first: {"$exists": True}}
    return index


def _fields(config: MongoConfig) -> list[str]:
    return list(dict.fromkeys(config.indexed_fields))


def _expires(config: MongoConfig) -> bool:
    return any(seconds is not None for seconds in config.ttl.seconds().values())


def _essence(index: Mapping[str, Any]) -> tuple[Any, ...]:
    """What an index is whatever its name: its keys in order, and whether it deletes."""
    return tuple(index["key"].items()), index.get("expireAfterSeconds")
