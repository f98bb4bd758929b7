from typing import Any

import pytest
from pydantic import ValidationError

from logweir.event import Kind
from logweir.sinks.contract import SinkContext
from logweir.sinks.mongodb.client import _options, write_concern
from logweir.sinks.mongodb.config import MongoConfig
from logweir.sinks.mongodb.schema import create_command, indexes, missing_indexes
from logweir.sinks.mongodb.server import Server, may
from logweir.sinks.mongodb.sink import MongoSink
from logweir.sinks.mongodb.writing import Writing
from logweir.testing.contract import make_event

URL = "mongodb://user:hunter2-secret@db.example:27017/app?tls=false&socketTimeoutMS=4000"


def config(**options: Any) -> MongoConfig:
    return MongoConfig.model_validate({"url": URL, **options})


def test_the_defaults_are_those_for_production() -> None:
    concern = write_concern(config())
    assert concern.document == {"w": "majority", "j": True, "wtimeout": 8000}
    assert config().driver == "motor"
    assert config().database_name == "app"
    assert config(database="mine").database_name == "mine"
    assert config(url="mongodb://h/").database_name == "logweir"
    assert config(url="mongodb+srv://cluster.example/logs?w=1").database_name == "logs"


def test_what_the_url_says_the_driver_gets_from_the_url() -> None:
    options = _options(config(retry={"timeout": "5s"}), SinkContext(workers=3))
    assert "socketTimeoutMS" not in options
    assert options["serverSelectionTimeoutMS"] == 4000
    assert options["retryWrites"] is False
    assert options["maxPoolSize"] == 7


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "mysql://hunter2-secret@x/"}, "not a MongoDB URL"),
        ({"url": "mongodb://user:hunter2-secret@db.example:port/"}, "driver refuses this URL"),
        ({"url": "mongodb://user:hunter2-secret@db.example/?tsl=true"}, "driver refuses this URL"),
        ({"w": 0}, "w: 0 would lose events"),
        ({"collection": ""}, "no name"),
        ({"collection": "a$b"}, "no name"),
        ({"database": "a/b"}, "no name"),
        ({"indexed_fields": ["a..b"]}, "no index"),
        ({"time_series": True, "ttl": {"tracing": "1d"}}, "one ttl"),
        ({"ttl": {"tracing": 0}}, "greater than 0"),
        ({"ttl": {"other": 1}}, "other"),
        ({"driver": "mongoengine"}, "driver"),
    ],
)
def test_what_cannot_work_is_refused_and_no_password_is_shown(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as raised:
        config(**options)
    messages = " ".join(f"{problem['loc']} {problem['msg']}" for problem in raised.value.errors())
    assert words in messages
    assert "hunter2" not in messages
    assert "hunter2" not in repr(config())


def test_a_driver_that_is_not_installed_is_reported_with_the_line_to_type(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("logweir.sinks.mongodb.config.find_spec", lambda _name: None)
    with pytest.raises(ValidationError, match=r"pip install 'logweir\[mongodb\]'"):
        config()


def test_there_is_an_index_for_each_documented_search_and_none_more() -> None:
    keys = {index["name"]: index["key"] for index in indexes(config(indexed_fields=["user_id"]))}
    assert keys == {
        "kind_time": {"kind": 1, "time": 1},
        "name_time": {"name": 1, "time": 1},
        "trace_time": {"trace_id": 1, "time": 1},
        "field_user_id": {"fields.user_id": 1, "time": 1},
    }
    assert [list(index["key"]) for index in indexes(config(ttl={"tracing": "30d"}))][-1] == ["expire_at"]


def test_an_index_is_known_by_its_keys_whatever_its_name() -> None:
    wanted = config(ttl={"tracing": "30d"})
    present = [{**index, "name": f"renamed {number}"} for number, index in enumerate(indexes(wanted))]
    assert missing_indexes(wanted, present) == []
    assert missing_indexes(wanted, present[1:]) == ["kind_time"]
    del present[-1]["expireAfterSeconds"]
    assert missing_indexes(wanted, present) == ["expire_at"]


def test_a_time_series_expires_as_a_whole_and_has_only_indexes_that_it_may_have() -> None:
    series = config(time_series=True, ttl={"tracing": "30d", "audit": "30d"})
    created = create_command(series)
    assert created is not None
    assert created["expireAfterSeconds"] == 30 * 86400
    assert created["timeseries"]["timeField"] == "time"
    assert not any(
        {"partialFilterExpression", "sparse", "expireAfterSeconds"} & set(index) for index in indexes(series)
    )


def test_the_script_has_what_provisioning_would_do() -> None:
    script = MongoSink(config(ttl={"tracing": "30d"})).provision_script()
    assert script.startswith("use app\n")
    assert script.count("createIndex") == 4
    assert '"expireAfterSeconds": 0' in script
    assert "hunter2" not in script
    assert "createCollection" in MongoSink(config(time_series=True)).provision_script()


def test_an_event_expires_counted_from_its_time_or_from_its_storing_if_that_is_later() -> None:
    writing = Writing(config(ttl={"tracing": "1d"}))
    day = 86_400_000
    now = 1_700_000_000_000
    behind = make_event(time_ns=0)
    ahead = make_event(time_ns=(now + 5) * 1_000_000)
    assert writing.expiry(behind, now) == now + day
    assert writing.expiry(ahead, now) == now + 5 + day
    assert writing.expiry(make_event(kind=Kind.AUDIT), now) is None


def test_the_servers_time_does_not_move_with_our_clock() -> None:
    steady = iter([10.5, 12.0]).__next__
    server = Server("MongoDB 8", (8,), 1, asked_at=1_000_000, since=10.0, steady=steady)
    assert [server.now(), server.now()] == [1_000_500, 1_002_000]


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [
        ({"db": "app", "collection": "logs"}, True),
        ({"db": "app", "collection": ""}, True),
        ({"db": "", "collection": ""}, True),
        ({"anyResource": True}, True),
        ({"db": "other", "collection": ""}, False),
        ({"db": "app", "collection": "other"}, False),
        ({"cluster": True}, False),
    ],
)
def test_rights_are_read_from_what_the_server_grants(resource: dict[str, Any], allowed: bool) -> None:
    granted = [{"resource": resource, "actions": ["find", "insert"]}]
    rights = {"authInfo": {"authenticatedUserPrivileges": granted}}
    assert may(rights, "insert", "app", "logs") is allowed
    assert not may(rights, "remove", "app", "logs")
    assert may({"authInfo": {"authenticatedUsers": []}}, "insert", "app", "logs")
