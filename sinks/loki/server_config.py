"""What this sink needs in Loki's configuration: printed, since nothing can be created through Loki's API."""

from __future__ import annotations

from logweir.sinks.loki.config import LokiConfig

__all__ = ["recommended_configuration"]


def recommended_configuration(config: LokiConfig) -> str:
    """The part of Loki's configuration that serves this sink."""
    names = [
        *config.static_labels,
        *(f"{label.name} (at most {label.most} values)" for label in config.labels),
    ]
    lines = [
        f"# labels: {', '.join(names)}",
        f"# structured metadata: {', '.join(config.metadata) or 'none'}",
        "# the line: event, id, fields, and what is neither a label nor metadata",
        "limits_config:",
        f"  allow_structured_metadata: {str(bool(config.metadata)).lower()}",
        f"  max_label_names_per_series: {max(15, len(names) + 2)}",
        "  max_line_size: 256KB             # longer events are cut",
        "  reject_old_samples_max_age: 1w   # how long an outage of Loki may last without loss",
        "  creation_grace_period: 10m",
    ]
    if config.retention_period is not None:
        hours = max(24, round(config.retention_period / 3600))
        lines += [
            f"  retention_period: {hours}h",
            "compactor:",
            "  retention_enabled: true",
            "  delete_request_store: filesystem   # or the object store in use",
        ]
    lines += [
        "ingester:",
        "  max_chunk_age: 2h                # half of it: how far a stream's events may be out of order",
        "  wal: {enabled: true}",
    ]
    return "".join(f"{line}\n" for line in lines)
