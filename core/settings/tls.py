"""TLS as routing.yaml says it, for every sink and broker: whom to trust, and how we identify ourselves.

The settings become a context in :mod:`logweir.sinks.shared.tls`. Of MongoDB and Redis they are options of the
url, as their drivers name them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from logweir.diagnostics import report
from logweir.settings.strict import StrictModel

__all__ = ["TlsConfig", "in_one_room", "in_one_spelling", "with_earlier_spellings"]

_EARLIER = {"cert": "certificate"}


def with_earlier_spellings(
    earlier: dict[str, str], of: type[BaseModel] | None = None
) -> Callable[[dict[str, Any]], None]:
    """Return what adds earlier spellings to the JSON Schema of a model, as deprecated.

    Args:
        earlier: Key of before to key of today.
        of: The model that has the keys of today, under `tls`; by default it is the same.
    """

    def add(schema: dict[str, Any]) -> None:
        today = of.model_json_schema()["properties"] if of else schema["properties"]
        for before, key in earlier.items():
            about = f"An earlier spelling of `{'tls.' if of else ''}{key}`."
            schema["properties"][before] = {**today[key], "description": about, "deprecated": True}

    return add


class TlsConfig(StrictModel):
    """Encryption between us and a server; `tls: {}` trusts what the system trusts."""

    model_config = ConfigDict(json_schema_extra=with_earlier_spellings(_EARLIER))

    ca: Path | None = None
    """The certificates (PEM) that may have signed the server's; the system's own by default."""
    certificate: Path | None = None
    """Our own certificate (PEM), where the server asks for one."""
    key: Path | None = None
    """The private key (PEM) of `certificate`, if it is not in the same file."""
    verify: bool | Literal["ca"] = True
    """`true` verifies the server's certificate and name, `ca` the certificate alone, `false` nothing; that is
    for experiments."""

    @model_validator(mode="before")
    @classmethod
    def _cert_is_an_earlier_spelling(cls, value: Any) -> Any:
        return in_one_spelling(value, _EARLIER, "tls")

    @model_validator(mode="after")
    def _key_has_its_certificate(self) -> TlsConfig:
        if self.key is not None and self.certificate is None:
            raise ValueError("key belongs to certificate; give both")
        return self


def in_one_spelling(given: Any, earlier: dict[str, str], where: str) -> Any:
    """Return settings with keys in today's spelling; earlier ones are noted on the logger ``logweir``.

    Args:
        given: What routing.yaml says; anything but a mapping is returned as it is.
        earlier: Key of before to key of today.
        where: Their place, for the note.

    Raises:
        ValueError: Something is said in both spellings.
    """
    if not isinstance(given, dict) or not earlier.keys() & given.keys():
        return given
    renamed = dict(given)
    for before, today in earlier.items():
        if before not in renamed:
            continue
        if today in renamed:
            raise ValueError(f"{before} is an earlier spelling of {today}; keep one of them")
        renamed[today] = renamed.pop(before)
        report(f"spelling.{where}.{before}", "%s: %s is now spelt %s; both are taken", where, before, today)
    return renamed


def in_one_room(given: Any, flat: dict[str, str], where: str) -> Any:
    """Return settings whose earlier, flat keys of TLS stand under ``tls``; as :func:`in_one_spelling` does.

    Raises:
        ValueError: There are both.
    """
    if not isinstance(given, dict) or not flat.keys() & given.keys():
        return given
    before = ", ".join(sorted(flat.keys() & given.keys()))
    if "tls" in given:
        raise ValueError(f"{before} are earlier spellings of what tls says; keep tls")
    report(f"spelling.{where}.{before}", "%s: %s now stand under tls; both are taken", where, before)
    inside = {flat[key]: value for key, value in given.items() if key in flat}
    return {**{key: value for key, value in given.items() if key not in flat}, "tls": inside}
