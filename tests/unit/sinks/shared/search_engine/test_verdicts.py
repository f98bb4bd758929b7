"""What the items of a bulk answer mean."""

from typing import Any

import pytest

from logweir.sinks.shared.search_engine.verdicts import Verdict, item_verdict


def error(kind: str, reason: str = "why", **more: Any) -> dict[str, Any]:
    return {"type": kind, "reason": reason, **more}


@pytest.mark.parametrize(
    ("item", "verdict"),
    [
        ({"status": 201}, Verdict.STORED),
        ({"status": 200}, Verdict.STORED),
        ({"status": 409, "error": error("version_conflict_engine_exception")}, Verdict.DUPLICATE),
        ({"status": 429, "error": error("es_rejected_execution_exception")}, Verdict.RETRY),
        ({"status": 503, "error": error("unavailable_shards_exception")}, Verdict.RETRY),
        ({"status": 500}, Verdict.RETRY),
        ({"status": 403, "error": error("cluster_block_exception")}, Verdict.RETRY),
        ({"status": 403, "error": error("security_exception")}, Verdict.RETRY),
        ({"status": 404, "error": error("index_not_found_exception")}, Verdict.RETRY),
        ({"status": 400, "error": error("index_closed_exception")}, Verdict.RETRY),
        ({"status": 400, "error": error("document_parsing_exception")}, Verdict.REJECTED),
        (
            {"status": 400, "error": error("illegal_argument_exception", "one immense term in field")},
            Verdict.REJECTED,
        ),
        (
            {"status": 400, "error": error("illegal_argument_exception", "if _id is specified it must not")},
            Verdict.REJECTED,
        ),
        (
            {
                "status": 400,
                "error": error("illegal_argument_exception", 'immense term in field="fields._value"'),
            },
            Verdict.UNINDEXABLE,
        ),
        (
            {"status": 400, "error": error("illegal_argument_exception", "no write index is defined")},
            Verdict.RETRY,
        ),
        ({"status": 400, "error": error("validation_exception")}, Verdict.RETRY),
        ({"status": 413}, Verdict.REJECTED),
        (
            {
                "status": 400,
                "error": error("document_parsing_exception", "field [fields] of type [flattened]"),
            },
            Verdict.UNINDEXABLE,
        ),
    ],
)
def test_an_item_is_judged_by_whose_fault_it_is(item: dict[str, Any], verdict: Verdict) -> None:
    assert item_verdict(item)[0] is verdict


def test_a_reason_names_the_innermost_cause() -> None:
    cause = error("mapper", "outer", caused_by=error("x", "middle", caused_by=error("y", "inner\nmore")))
    assert item_verdict({"status": 400, "error": cause})[1] == "mapper: outer: inner"
