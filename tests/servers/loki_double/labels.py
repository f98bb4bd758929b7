"""Labels of a stream: their text, and the name of the service that is found in them."""

from __future__ import annotations

import json
import re

Labels = tuple[tuple[str, str], ...]

_PAIR = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*("(?:[^"\\]|\\.)*")\s*(,|$)')
#: Loki docs, Configuration > limits_config: discover_service_name, in its order.
_SERVICE_LABELS = (
    "service", "app", "application", "app_name", "name", "app_kubernetes_io_name", "container",
    "container_name", "k8s_container_name", "component", "workload", "job", "k8s_job_name",
)  # fmt: skip


class BadLabels(ValueError):
    """The text is no set of labels; the answer says so."""


def parse_labels(text: str) -> Labels:
    """The labels of ``{name="value", ...}``, sorted by name.

    Raises:
        BadLabels: It is none.
    """
    inner = text.strip()
    if not (inner.startswith("{") and inner.endswith("}")):
        raise BadLabels(f"error parsing labels {text} with error: parse error: no braces")
    inner = inner[1:-1]
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(inner):
        match = _PAIR.match(inner, position)
        if match is None:
            raise BadLabels(f"error parsing labels {text} with error: parse error at col {position + 2}")
        found.append((match[1], unquoted(match[2])))
        position = match.end()
    return tuple(sorted(found))


def labels_text(labels: Labels) -> str:
    """Labels as Loki writes them."""
    return "{" + ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels) + "}"


def unquoted(text: str) -> str:
    """The text of a quoted string of LogQL.

    Raises:
        BadLabels: An escape is wrong.
    """
    try:
        return str(json.loads(text))
    except ValueError:
        raise BadLabels(f"error parsing labels: invalid string {text}") from None


def with_service_name(labels: Labels) -> Labels:
    """The labels with ``service_name`` (Loki docs, Upgrade > 3.0.0: automatic service name)."""
    known = dict(labels)
    if not known or "service_name" in known:
        return labels
    name = next((known[label] for label in _SERVICE_LABELS if known.get(label)), "unknown_service")
    return tuple(sorted([*labels, ("service_name", name)]))
