"""Every limit of the double with Loki's documented default, and the command line that changes them.

Flags are Loki's own (Loki docs, "Configuration", sections limits_config, ingester, server), except for those
of the double's faults: ``-not-ready-for``, ``-retry-after``, ``-fail-every``, ``-tail-buffer``, ``-version``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

_SIZES = {"KB": 2**10, "MB": 2**20, "GB": 2**30, "B": 1}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


@dataclass(frozen=True)
class Limits:
    """What a tenant may send; sizes in bytes, times in seconds. 0 lifts a limit where Loki says so."""

    version: str = "3.7"
    auth_enabled: bool = False
    # Loki docs, Configuration > limits_config.
    max_line_size: int = 256 * 2**10
    max_label_names_per_series: int = 15
    max_label_name_length: int = 1024
    max_label_value_length: int = 2048
    reject_old_samples: bool = True
    reject_old_samples_max_age: float = 7 * 86_400.0
    creation_grace_period: float = 600.0
    ingestion_rate_mb: float = 4.0
    ingestion_burst_size_mb: float = 6.0
    per_stream_rate_limit: int = 3 * 2**20
    per_stream_rate_limit_burst: int = 15 * 2**20
    max_streams: int = 5000
    allow_structured_metadata: bool = True
    max_structured_metadata_size: int = 64 * 2**10
    max_structured_metadata_entries_count: int = 128
    max_entries_limit_per_query: int = 5000
    max_query_length: float = 721 * 3600.0
    # Loki docs, Configuration > ingester: max_chunk_age. Half of it is how far back a stream takes entries.
    max_chunk_age: float = 2 * 3600.0
    # Loki docs, Configuration > server: grpc_server_max_recv_msg_size.
    max_message: int = 4 * 2**20
    # Loki docs, Configuration > period_config: "from". Nothing is stored before it.
    schema_from: float = 1_577_836_800.0
    # The double's own.
    not_ready_for: float = 0.0
    retry_after: int | None = None
    fail_every: tuple[int, int] | None = None
    tail_buffer: int = 10

    @property
    def names_services(self) -> bool:
        """Whether a stream gets a label ``service_name`` (Loki docs, Upgrade > 3.0.0)."""
        return not self.version.startswith("2.")

    def shown(self) -> dict[str, str]:
        """The limits as the page of the configuration shows them: what is false or unset is left out."""
        return {
            "max_line_size": _size_text(self.max_line_size),
            **({"reject_old_samples": "true"} if self.reject_old_samples else {}),
            "reject_old_samples_max_age": _time_text(self.reject_old_samples_max_age),
            "creation_grace_period": _time_text(self.creation_grace_period),
            "ingestion_rate_mb": f"{self.ingestion_rate_mb:g}",
            "per_stream_rate_limit": _size_text(self.per_stream_rate_limit),
            "max_label_names_per_series": str(self.max_label_names_per_series),
            **({"allow_structured_metadata": "true"} if self.allow_structured_metadata else {}),
            "max_query_length": _time_text(self.max_query_length),
        }


def _size(text: str) -> int:
    for unit, factor in _SIZES.items():
        if text.upper().endswith(unit):
            return int(float(text[: -len(unit)]) * factor)
    return int(text)


def _time(text: str) -> float:
    for unit, seconds in _SECONDS.items():
        if text.endswith(unit) and text[: -len(unit)].isdecimal():
            return int(text[: -len(unit)]) * seconds
    raise ValueError(f"not a duration: {text!r}")


def _flag(text: str) -> bool:
    return {"true": True, "false": False}[text]


def _every(text: str) -> tuple[int, int]:
    number, status = text.split(":")
    return int(number), int(status)


def _size_text(size: int) -> str:
    unit = next(unit for unit in ("GB", "MB", "KB", "B") if size % _SIZES[unit] == 0)
    return f"{size // _SIZES[unit]}{unit}"


def _time_text(seconds: float) -> str:
    return f"{seconds:g}s" if seconds % 60 else f"{seconds // 60:g}m"


_FLAGS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "auth.enabled": ("auth_enabled", _flag),
    "distributor.max-line-size": ("max_line_size", _size),
    "distributor.ingestion-rate-limit-mb": ("ingestion_rate_mb", float),
    "distributor.ingestion-burst-size-mb": ("ingestion_burst_size_mb", float),
    "validation.max-label-names-per-series": ("max_label_names_per_series", int),
    "validation.max-length-label-name": ("max_label_name_length", int),
    "validation.max-length-label-value": ("max_label_value_length", int),
    "validation.reject-old-samples": ("reject_old_samples", _flag),
    "validation.reject-old-samples.max-age": ("reject_old_samples_max_age", _time),
    "validation.create-grace-period": ("creation_grace_period", _time),
    "validation.allow-structured-metadata": ("allow_structured_metadata", _flag),
    "validation.max-entries-limit": ("max_entries_limit_per_query", int),
    "limits.max-structured-metadata-size": ("max_structured_metadata_size", _size),
    "limits.max-structured-metadata-entries-count": ("max_structured_metadata_entries_count", int),
    "ingester.per-stream-rate-limit": ("per_stream_rate_limit", _size),
    "ingester.per-stream-rate-limit-burst": ("per_stream_rate_limit_burst", _size),
    "ingester.max-global-streams-per-user": ("max_streams", int),
    "ingester.max-chunk-age": ("max_chunk_age", _time),
    "store.max-query-length": ("max_query_length", _time),
    "server.grpc-max-recv-msg-size-bytes": ("max_message", int),
    "version": ("version", str),
    "not-ready-for": ("not_ready_for", _time),
    "retry-after": ("retry_after", int),
    "fail-every": ("fail_every", _every),
    "tail-buffer": ("tail_buffer", int),
}
#: Of parts that the double does not have.
_IGNORED = {"shard-streams.enabled"}


def parsed(arguments: Sequence[str]) -> Limits:
    """The limits that command line arguments give.

    Raises:
        ValueError: An argument is unknown, or its value cannot be read.
    """
    changes: dict[str, Any] = {}
    for argument in arguments:
        name, _, text = argument.removeprefix("-").partition("=")
        if name in _IGNORED:
            continue
        if not argument.startswith("-") or name not in _FLAGS:
            raise ValueError(f"unknown flag: {argument!r}")
        attribute, read = _FLAGS[name]
        try:
            changes[attribute] = read(text)
        except (KeyError, ValueError):
            raise ValueError(f"{argument!r}: the value cannot be read") from None
    assert changes.keys() <= {field.name for field in fields(Limits)}
    # Loki docs, Configuration > limits_config: structured metadata is off by default before 3.0.
    if str(changes.get("version", "")).startswith("2."):
        changes = {"allow_structured_metadata": False, **changes}
    return replace(Limits(), **changes)
