"""Label sets: reading and writing ``{a="b", c="d"}``, and the service that Loki finds in them."""

import re
from collections.abc import Mapping
from functools import lru_cache

from servers.loki_double.quoting import QUOTED, quote, unquote

#: Pairs in order of their names; names may repeat only until the set was checked.
Labels = tuple[tuple[str, str], ...]

# Loki docs, Labels > Label format: letters, digits and underscores, no digit first.
NAME = r"[a-zA-Z_][a-zA-Z0-9_]*"
_PAIR = re.compile(rf"\s*({NAME})\s*=\s*({QUOTED})\s*")

SERVICE = "service_name"
# Loki docs, Configuration > limits_config: discover_service_name.
_SERVICES = (
    "service", "app", "application", "app_name", "name", "app_kubernetes_io_name", "container",
    "container_name", "k8s_container_name", "component", "workload", "job", "k8s_job_name",
)  # fmt: skip


@lru_cache(maxsize=4096)
def parse_labels(text: str) -> Labels:
    """The pairs of a label set; a label with an empty value is the same as none.

    Raises:
        ValueError: It is no label set.
    """
    if not text.startswith("{") or not text.endswith("}"):
        raise ValueError("1:1: parse error: a label set is in braces")
    pairs = []
    position, end = 1, len(text) - 1
    while text[position:end].strip():
        match = _PAIR.match(text, position, end)
        if match is None:
            raise ValueError(f"1:{position + 1}: parse error: unexpected character in a label set")
        pairs.append((match[1], unquote(match[2])))
        position = match.end()
        if position < end and text[position] != ",":
            raise ValueError(f"1:{position + 1}: parse error: expected , or }}")
        position += 1
    return tuple(sorted((name, value) for name, value in pairs if value))


def format_labels(labels: Labels) -> str:
    """As Loki writes a stream's labels in its answers."""
    return "{" + ", ".join(f"{name}={quote(value)}" for name, value in labels) + "}"


def format_raw(labels: Mapping[str, str]) -> str:
    """The labels of a JSON stream, unchecked, as text that is parsed as any other."""
    return format_labels(tuple(sorted(labels.items())))


def with_service(labels: Labels) -> Labels:
    """With the label of the service, which Loki adds from version 3.0 on."""
    known = dict(labels)
    if SERVICE in known:
        return labels
    found = next((known[name] for name in _SERVICES if name in known), "unknown_service")
    return tuple(sorted([*labels, (SERVICE, found)]))
