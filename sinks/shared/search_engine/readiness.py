"""Whether a cluster will take what the sink writes: asked by requests that write nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

__all__ = ["trouble_with_bulk", "troubles_of_index"]

#: Sends a request and returns the status and the body of the answer.
Ask = Callable[..., Awaitable[tuple[int, Any]]]

#: As large as requests of events are, so that it is compressed as they are; a bulk passes empty lines over.
_NOTHING = b"\n" * 2048
_NO_REQUESTS = "action_request_validation_exception"


async def trouble_with_bulk(ask: Ask, index: str) -> str:
    """Send a bulk of nothing; return what is wrong with whoever answers it, or an empty text.

    Elasticsearch says that there are no requests in it. A gateway, or a store that speaks only a part of
    Elasticsearch's API, says something else, and would say it to every write.
    """
    status, answer = await ask("POST", f"/{index}/_bulk", _NOTHING)
    error = answer.get("error") if isinstance(answer, Mapping) else None
    kind = error.get("type") if isinstance(error, Mapping) else None
    if status == HTTPStatus.OK or (status == HTTPStatus.BAD_REQUEST and kind == _NO_REQUESTS):
        return ""
    said = (error.get("reason") if isinstance(error, Mapping) else error) or answer or ""
    return f"no bulk request is taken at /{index}/_bulk: status {status}: {' '.join(str(said).split())[:200]}"


async def troubles_of_index(ask: Ask, index: str) -> list[str]:
    """Return why the newest of the indexes behind a name takes no writes: blocks, or a missing pipeline."""
    target = f"/{index}/_settings?flat_settings=true&ignore_unavailable=true&allow_no_indices=true"
    status, answer = await ask("GET", target)
    if status != HTTPStatus.OK or not isinstance(answer, Mapping) or not answer:
        return []
    name = max(answer)
    settings = answer[name].get("settings", {})
    troubles = [
        f"{name} is blocked ({key.removeprefix('index.')}): what is written to it waits"
        for key, value in settings.items()
        if key.startswith("index.blocks.") and str(value) == "true" and not key.endswith(".read")
    ]
    for key in ("index.default_pipeline", "index.final_pipeline"):
        pipeline = settings.get(key, "_none")
        if pipeline != "_none" and (await ask("GET", f"/_ingest/pipeline/{pipeline}"))[0] == 404:  # noqa: PLR2004
            troubles.append(
                f"the ingest pipeline {pipeline} of {name} is missing: what is written to it waits"
            )
    return troubles
