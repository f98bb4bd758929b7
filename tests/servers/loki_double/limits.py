"""The limits, with the defaults and the command line flags that Loki's documentation gives.

Source: Loki docs, Configuration > limits_config, unless a field says otherwise. Names are those of the YAML.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from servers.loki_double.units import parse_duration, parse_flag, parse_size, show_duration, show_size

_KINDS: dict[str, tuple[Callable[[str], Any], Callable[[Any], str]]] = {
    "size": (parse_size, show_size),
    "duration": (parse_duration, show_duration),
    "switch": (parse_flag, lambda value: "true" if value else ""),
    "number": (int, str),
    "decimal": (float, lambda value: f"{value:g}"),
}


def _limit(flag: str, default: str, kind: str) -> Any:
    """A limit by its flag, its documented default, and how both are read."""
    read, _ = _KINDS[kind]
    return field(default=read(default), metadata={"flag": flag, "kind": kind})


@dataclass(frozen=True)
class Limits:
    """What one tenant may send and ask for."""

    ingestion_rate_mb: float = _limit("distributor.ingestion-rate-limit-mb", "4", "decimal")
    ingestion_burst_size_mb: float = _limit("distributor.ingestion-burst-size-mb", "6", "decimal")
    max_label_name_length: int = _limit("validation.max-length-label-name", "1024", "number")
    max_label_value_length: int = _limit("validation.max-length-label-value", "2048", "number")
    max_label_names_per_series: int = _limit("validation.max-label-names-per-series", "15", "number")
    reject_old_samples: bool = _limit("validation.reject-old-samples", "true", "switch")
    reject_old_samples_max_age: int = _limit("validation.reject-old-samples.max-age", "1w", "duration")
    creation_grace_period: int = _limit("validation.create-grace-period", "10m", "duration")
    max_line_size: int = _limit("distributor.max-line-size", "256KB", "size")
    discover_service_name: bool = _limit("validation.discover-service-name", "true", "switch")
    discover_log_levels: bool = _limit("validation.discover-log-levels", "true", "switch")
    max_streams_per_user: int = _limit("ingester.max-streams-per-user", "0", "number")
    max_global_streams_per_user: int = _limit("ingester.max-global-streams-per-user", "5000", "number")
    per_stream_rate_limit: int = _limit("ingester.per-stream-rate-limit", "3MB", "size")
    per_stream_rate_limit_burst: int = _limit("ingester.per-stream-rate-limit-burst", "15MB", "size")
    allow_structured_metadata: bool = _limit("validation.allow-structured-metadata", "true", "switch")
    max_structured_metadata_size: int = _limit("limits.max-structured-metadata-size", "64KB", "size")
    max_structured_metadata_entries_count: int = _limit(
        "limits.max-structured-metadata-entries-count", "128", "number"
    )
    max_query_length: int = _limit("store.max-query-length", "30d1h", "duration")
    max_entries_limit_per_query: int = _limit("validation.max-entries-limit", "5000", "number")
    # Loki docs, Configuration > ingester: max_chunk_age. Entries may be out of order by half of it
    # (Loki docs, Configuration > Accept out-of-order writes).
    max_chunk_age: int = _limit("ingester.max-chunk-age", "2h", "duration")
    # Loki docs, Configuration > server: grpc_server_max_recv_msg_size.
    grpc_server_max_recv_msg_size: int = _limit("server.grpc-max-recv-msg-size-bytes", "4194304", "number")
    # Loki docs, Configuration > distributor: max_recv_msg_size, of a body over HTTP.
    max_recv_msg_size: int = _limit("distributor.max-recv-msg-size", "104857600", "number")

    @property
    def most_streams(self) -> int:
        """The most streams of a tenant; 0 is no limit."""
        named = [limit for limit in (self.max_streams_per_user, self.max_global_streams_per_user) if limit]
        return min(named, default=0)

    def shown(self) -> Iterator[str]:
        """The lines of ``limits_config`` on the page of the configuration; a switch only where it is on."""
        for limit in fields(self):
            text = _KINDS[limit.metadata["kind"]][1](getattr(self, limit.name))
            if text:
                yield f"  {limit.name}: {text}"


#: From a flag, without its dash, to the limit's name and how its value is read.
FLAGS: dict[str, tuple[str, Callable[[str], Any]]] = {
    limit.metadata["flag"]: (limit.name, _KINDS[limit.metadata["kind"]][0]) for limit in fields(Limits)
}
