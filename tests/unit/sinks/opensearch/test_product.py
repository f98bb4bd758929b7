"""What is OpenSearch's own: the ISM policy, the template, and what a server says it has.

The node of the tests has no ISM: policies are checked against its documented form, which stands here in the words
of a JSON Schema (the tables "Policies", "States", "Actions" and "Transitions" of its reference), and a stub
answers what a server with ISM answers.
"""

from typing import Any

import jsonschema
import pytest

from logweir.errors import SinkRejected
from logweir.sinks.opensearch.config import OpenSearchConfig
from logweir.sinks.opensearch.product import OpenSearch, ism_policy
from logweir.sinks.shared.search_engine.contract import Answer, Client, Product
from logweir.sinks.shared.search_engine.layout import Layout
from logweir.sinks.shared.search_engine.schema import index_template

TEXT = {"type": "string"}
AGE = {"type": "string", "pattern": r"^[1-9]\d*(d|h|m|s|ms|micros)$"}
SIZE = {"type": "string", "pattern": r"^[1-9]\d*(b|kb|mb|gb|tb|pb)$"}
COUNT = {"type": "integer", "minimum": 0}
ATTRIBUTES = {"type": "object", "additionalProperties": TEXT, "minProperties": 1}


def record(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**made, "required": list(properties) if required is None else required}


ROLLOVER = {"min_size": SIZE, "min_primary_shard_size": SIZE, "min_doc_count": COUNT, "min_index_age": AGE}
ACTIONS = {
    "rollover": record(ROLLOVER, []),
    "index_priority": record({"priority": COUNT}),
    "force_merge": record({"max_num_segments": COUNT}),
    "allocation": record(
        {
            "require": ATTRIBUTES,
            "include": ATTRIBUTES,
            "exclude": ATTRIBUTES,
            "wait_for": {"type": "boolean"},
        },
        [],
    ),
    "read_only": record({}),
    "read_write": record({}),
    "delete": record({}),
}
CONDITIONS = {"min_index_age": AGE, "min_rollover_age": AGE, "min_doc_count": COUNT, "min_size": SIZE}
TRANSITION = record({"state_name": TEXT, "conditions": {**record(CONDITIONS, []), "maxProperties": 1}})
ACTION = {**record(ACTIONS, []), "minProperties": 1, "maxProperties": 1}
STATE = record(
    {
        "name": TEXT,
        "actions": {"type": "array", "items": ACTION},
        "transitions": {"type": "array", "items": TRANSITION},
    }
)
TEMPLATE = record({"index_patterns": {"type": "array", "items": TEXT}, "priority": COUNT}, ["index_patterns"])
POLICY = record(
    {
        "policy": record(
            {
                "description": TEXT,
                "default_state": TEXT,
                "states": {"type": "array", "items": STATE, "minItems": 1},
                "ism_template": {"type": "array", "items": TEMPLATE},
            },
            ["description", "default_state", "states"],
        )
    }
)
LIVES: list[dict[str, Any] | None] = [
    None,
    {"delete_after": "90d"},
    {"rollover_after": "36h", "rollover_size": "5GiB", "warm_after": "1.5s", "cold_after": "30d"},
    {
        "rollover_after": "1d",
        "warm_after": "7d",
        "warm_nodes": {"temp": "warm"},
        "cold_after": "30d",
        "cold_nodes": {"temp": "cold"},
        "delete_after": "90d",
    },
]


def config(life: dict[str, Any] | None, **options: Any) -> OpenSearchConfig:
    return OpenSearchConfig.model_validate({"index": "app", "lifecycle": life, **options})


@pytest.mark.parametrize("life", LIVES)
def test_a_policy_has_the_documented_form_and_its_states_follow_each_other(
    life: dict[str, Any] | None,
) -> None:
    body = ism_policy(config(life))
    jsonschema.validate(body, POLICY)
    policy = body["policy"]
    names = [state["name"] for state in policy["states"]]
    assert policy["default_state"] == names[0] == "hot"
    following = [[to["state_name"] for to in state["transitions"]] for state in policy["states"]]
    assert following == [*([name] for name in names[1:]), []]
    assert policy["ism_template"] == [{"index_patterns": ["app"], "priority": 500}]


def test_a_policy_moves_indexes_from_hot_to_warm_to_cold_and_deletes_them() -> None:
    states = {state["name"]: state for state in ism_policy(config(LIVES[3]))["policy"]["states"]}
    assert list(states) == ["hot", "warm", "cold", "delete"]
    rollover = {"min_index_age": "1d", "min_primary_shard_size": "53687091200b"}
    assert states["hot"]["actions"][-1] == {"rollover": rollover}  # what stands behind it would wait for it
    ages = [state["transitions"][0]["conditions"] for state in states.values() if state["transitions"]]
    assert ages == [{"min_rollover_age": age} for age in ("7d", "30d", "90d")]
    assert {"allocation": {"require": {"temp": "warm"}, "wait_for": False}} in states["warm"]["actions"]
    assert states["warm"]["actions"][-1] == {"read_write": {}}  # events can still be erased
    assert {"read_only": {}} in states["cold"]["actions"]
    assert states["delete"]["actions"] == [{"delete": {}}]


def test_the_documented_form_refuses_what_ism_does() -> None:
    body = ism_policy(config(LIVES[1]))
    body["policy"]["states"][0]["actions"].append({"forcemerge": {"max_num_segments": 1}})
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body, POLICY)


def test_the_template_makes_a_stream_or_daily_indexes_without_what_opensearch_lacks() -> None:
    for streaming in (True, False):
        template = index_template(OpenSearch(), config(None), Layout("app", streaming), managed=streaming)
        assert template["template"]["mappings"]["properties"]["fields"] == {"type": "flat_object"}
        assert set(template["template"]["settings"]["index"]) == {"codec", "number_of_shards"}
        assert ("data_stream" in template) is streaming


class _Stub(Client):
    """Answers as a server does; what it is asked is written down."""

    product: Product = OpenSearch()

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.seen: list[tuple[str, str]] = []

    async def request(self, method: str, target: str, body: object = None) -> Any:
        raise NotImplementedError

    async def ask(self, method: str, target: str, body: object = None) -> Answer:
        self.seen.append((method, target))
        return self.answers.get(f"{method} {target}", (200, {}))

    async def close(self) -> None: ...


NO_HANDLER = (400, {"error": "no handler found for uri [/_plugins/_ism/policies/logweir] and method [GET]"})
NOT_FOUND = (404, {"error": {"type": "status_exception", "reason": "Policy not found"}, "status": 404})
FORBIDDEN = (403, {"error": {"type": "security_exception"}})


@pytest.mark.parametrize(
    ("ism", "streams", "expected"),
    [
        (NOT_FOUND, NOT_FOUND, (True, True)),
        ((200, {"policy": {}}), (200, {"data_streams": []}), (True, True)),
        (NO_HANDLER, NOT_FOUND, (False, False)),
        (NOT_FOUND, NO_HANDLER, (False, True)),
        (FORBIDDEN, NOT_FOUND, (None, None)),
        (NOT_FOUND, FORBIDDEN, (None, True)),
        ((404, None), NOT_FOUND, (False, False)),
    ],
)
async def test_what_a_server_has_is_read_from_what_it_says(
    ism: Answer, streams: Answer, expected: Any
) -> None:
    stub = _Stub({"GET /_plugins/_ism/policies/logweir": ism, "GET /_data_stream/logweir": streams})
    assert tuple(await OpenSearch().features(stub)) == expected


PATH = "/_plugins/_ism/policies/app"


async def test_a_policy_is_created_where_there_is_none_and_another_s_is_left_alone() -> None:
    stub = _Stub({f"GET {PATH}": NOT_FOUND, f"PUT {PATH}": (201, {})})
    await OpenSearch().update_policy(stub, config(None))
    assert stub.seen[-1] == ("PUT", PATH)
    stub = _Stub(
        {f"GET {PATH}": (200, {"policy": {"description": "mine"}, "_seq_no": 3, "_primary_term": 1})}
    )
    await OpenSearch().update_policy(stub, config(None))
    assert stub.seen == [("GET", PATH)]


async def test_our_policy_is_replaced_by_the_version_that_stands() -> None:
    ours = ism_policy(config(LIVES[1]))["policy"]
    stub = _Stub({f"GET {PATH}": (200, {"policy": ours, "_seq_no": 3, "_primary_term": 1})})
    await OpenSearch().update_policy(stub, config(None))
    assert stub.seen[-1] == ("PUT", f"{PATH}?if_seq_no=3&if_primary_term=1")


async def test_a_policy_that_the_server_refuses_is_reported() -> None:
    refused = (403, {"error": {"type": "security_exception", "reason": "no permissions"}})
    stub = _Stub({f"GET {PATH}": NOT_FOUND, f"PUT {PATH}": refused})
    with pytest.raises(SinkRejected, match="no permissions"):
        await OpenSearch().update_policy(stub, config(None))
