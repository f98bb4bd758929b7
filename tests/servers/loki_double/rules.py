"""What the distributor refuses: of a stream for its labels, of an entry for its size, time and metadata. Pure.

What is fine of a push is stored although the answer is 400 (Loki docs, Troubleshoot ingest). The texts are those
of Loki 3.7, as the sink met them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from servers.loki_double.decoding import Entry, Stream
from servers.loki_double.labels import Labels, labels_text, with_service_name
from servers.loki_double.limits import Limits

_NANOS = 10**9


@dataclass(frozen=True)
class Validated:
    """What is left of a push, and what was said of the rest; empty if nothing was refused."""

    streams: list[Stream]
    refusal: str


def validated(streams: Sequence[Stream], limits: Limits, now: int) -> Validated:
    """Apply every rule to a push at ``now`` (nanoseconds)."""
    kept: list[Stream] = []
    errors: Counter[str] = Counter()
    for stream in streams:
        labels = with_service_name(stream.labels) if limits.names_services else stream.labels
        error = _of_labels(stream.labels, labels_text(labels), limits)
        if error:
            errors[error] += max(1, len(stream.entries))
            continue
        good = []
        for entry in stream.entries:
            error = next(_of_entry(entry, labels_text(labels), limits, now), "")
            if error:
                errors[error] += 1
            else:
                good.append(entry)
        if good:
            kept.append(Stream(labels, good))
    return Validated(kept, _grouped(errors))


def _grouped(errors: Counter[str]) -> str:
    """Equal errors are told once, with their number."""
    if errors.total() == 1:
        return next(iter(errors))
    return "; ".join(f"{count} errors like: {text}" for text, count in errors.items())


def _of_labels(labels: Labels, text: str, limits: Limits) -> str:
    names = [name for name, _ in labels]
    if not labels:
        # Loki docs, Troubleshoot ingest > Missing labels.
        return "error at least one label pair is required per stream"
    if len(labels) > limits.max_label_names_per_series:
        # Loki docs, Troubleshoot ingest > Maximum label names per series; limits_config.
        return (
            f"entry for stream '{text}' has {len(labels)} label names; "
            f"limit {limits.max_label_names_per_series}"
        )
    for name, value in labels:
        if len(name.encode()) > limits.max_label_name_length:
            # Loki docs, Troubleshoot ingest > Label name too long.
            return f"stream '{text}' has label name too long: '{name}'"
        if len(value.encode()) > limits.max_label_value_length:
            # Loki docs, Troubleshoot ingest > Label value too long.
            return f"stream '{text}' has label value too long: '{value}'"
    if len(set(names)) < len(names):
        # Loki docs, Troubleshoot ingest > Duplicate label names.
        twice = next(name for name in names if names.count(name) > 1)
        return f"stream '{text}' has duplicate label name: '{twice}'"
    return ""


def _of_entry(entry: Entry, text: str, limits: Limits, now: int) -> Iterator[str]:
    yield from _of_time(entry, text, limits, now)
    if limits.max_line_size and entry.line_size > limits.max_line_size:
        # Loki docs, Troubleshoot ingest > Line too long; limits_config: max_line_size.
        yield (
            f"max entry size '{limits.max_line_size}' bytes exceeded for stream '{text}' "
            f"while adding an entry with length '{entry.line_size}' bytes"
        )
    yield from _of_metadata(entry, text, limits)


def _of_time(entry: Entry, text: str, limits: Limits, now: int) -> Iterator[str]:
    oldest = now - int(limits.reject_old_samples_max_age * _NANOS)
    if limits.reject_old_samples and entry.stamp < oldest:
        # Loki docs, Troubleshoot ingest > Timestamp too old; limits_config: reject_old_samples_max_age.
        yield (
            f"entry for stream '{text}' has timestamp too old: {second(entry.stamp)}, "
            f"oldest acceptable timestamp is: {second(oldest)}"
        )
    if entry.stamp > now + int(limits.creation_grace_period * _NANOS):
        # Loki docs, Troubleshoot ingest > Timestamp too new; limits_config: creation_grace_period.
        yield f"entry for stream '{text}' has timestamp too new: {second(entry.stamp)}"


def _of_metadata(entry: Entry, text: str, limits: Limits) -> Iterator[str]:
    if not entry.metadata:
        return
    if not limits.allow_structured_metadata:
        # Loki docs, Structured metadata; limits_config: allow_structured_metadata.
        yield (
            f"stream '{text}' includes structured metadata, but this feature is disallowed. "
            "Please see `limits_config.allow_structured_metadata`"
        )
    if entry.metadata_size > limits.max_structured_metadata_size:
        # Loki docs, limits_config: max_structured_metadata_size.
        yield (
            f"stream '{text}' has structured metadata too large: '{entry.metadata_size}' bytes, "
            f"limit: '{limits.max_structured_metadata_size}' bytes. "
            "Please see `limits_config.max_structured_metadata_size`"
        )
    if len(entry.metadata) > limits.max_structured_metadata_entries_count:
        # Loki docs, limits_config: max_structured_metadata_entries_count.
        yield (
            f"stream '{text}' has too many structured metadata labels: '{len(entry.metadata)}', "
            f"limit: '{limits.max_structured_metadata_entries_count}'. "
            "Please see `limits_config.max_structured_metadata_entries_count`"
        )


def second(stamp: int) -> str:
    """A time as the messages show it, to the second."""
    return datetime.fromtimestamp(stamp // _NANOS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
