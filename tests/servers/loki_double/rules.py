"""What Loki refuses of a push, and in which words. Pure.

First each stream and entry is judged by itself (Loki's distributor); what remains is judged by what its
stream holds (Loki's ingester). Sources: Loki docs, Troubleshoot ingest, and Enforce rate limits and push
request validation; each rule names its section there.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from servers.loki_double.entries import Entry, RawStream, Stream, entry_size, length, metadata_size
from servers.loki_double.labels import Labels, format_labels, parse_labels, with_service
from servers.loki_double.limits import Limits
from servers.loki_double.units import SECOND, show_size

#: Loki names so many refused entries of a stream; it counts the others.
_NAMED = 10


@dataclass(frozen=True)
class Refusal:
    """An answer that is not 204."""

    status: int
    text: str


def rfc3339(stamp: int) -> str:
    """A time to the second."""
    return datetime.fromtimestamp(stamp // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def long_time(stamp: int) -> str:
    """A time with all its digits, as Go prints it."""
    second, fraction = divmod(stamp, SECOND)
    digits = f".{fraction:09}".rstrip("0") if fraction else ""
    return datetime.fromtimestamp(second, UTC).strftime(f"%Y-%m-%d %H:%M:%S{digits} +0000 UTC")


def validated(streams: Sequence[RawStream], limits: Limits, now: int) -> tuple[list[Stream], list[str]]:
    """What may go on, and what was refused: a text for each stream whose labels are wrong, or for each entry."""
    good: list[Stream] = []
    errors: list[str] = []
    for raw in streams:
        try:
            own = parse_labels(raw.labels)
        except ValueError as error:
            errors.append(f"error parsing labels '{raw.labels}' with error: {error}")
            continue
        labels = with_service(own) if own and limits.discover_service_name else own
        wrong = label_error(labels, len(own), limits)
        if wrong is not None:
            errors.append(wrong)
            continue
        kept = []
        for entry in raw.entries:
            wrong = entry_error(entry, labels, limits, now)
            if wrong is None:
                kept.append(entry)
            else:
                errors.append(wrong)
        if kept:
            good.append(Stream(labels, kept))
    return good, errors


def grouped(errors: Sequence[str]) -> str:
    """All texts in one: those that are equal once, with their number; a single one as it is."""
    if len(errors) == 1:
        return errors[0]
    return "; ".join(f"{count} errors like: {text}" for text, count in Counter(errors).items())


def label_error(labels: Labels, own: int, limits: Limits) -> str | None:
    """What is wrong with a stream's labels.

    Args:
        labels: All of them.
        own: How many the client sent; the service that Loki adds does not count
            (seen: grafana/alloy issue 4412, 17 labels reported as 16).
        limits: The limits.
    """
    # Troubleshoot ingest > missing_labels.
    if not labels:
        return "error at least one label pair is required per stream"
    # Troubleshoot ingest > max_label_names_per_series.
    if own > limits.max_label_names_per_series:
        return (
            f"entry for stream '{format_labels(labels)}' has {own} label names; "
            f"limit {limits.max_label_names_per_series}"
        )
    before = ""
    for name, value in labels:
        # Troubleshoot ingest > label_name_too_long, label_value_too_long, duplicate_label_names.
        if length(name) > limits.max_label_name_length:
            return f"stream '{format_labels(labels)}' has label name too long: '{name}'"
        if length(value) > limits.max_label_value_length:
            return f"stream '{format_labels(labels)}' has label value too long: '{value}'"
        if name == before:
            return f"stream '{format_labels(labels)}' has duplicate label name: '{name}'"
        before = name
    return None


def entry_error(entry: Entry, labels: Labels, limits: Limits, now: int) -> str | None:
    """What is wrong with an entry, by itself."""
    oldest = now - limits.reject_old_samples_max_age
    # Troubleshoot ingest > greater_than_max_sample_age.
    if limits.reject_old_samples and entry.stamp < oldest:
        return (
            f"entry for stream '{format_labels(labels)}' has timestamp too old: {rfc3339(entry.stamp)}, "
            f"oldest acceptable timestamp is: {rfc3339(oldest)}"
        )
    # Troubleshoot ingest > too_far_in_future.
    if entry.stamp > now + limits.creation_grace_period:
        return f"entry for stream '{format_labels(labels)}' has timestamp too new: {rfc3339(entry.stamp)}"
    # Troubleshoot ingest > line_too_long; a limit of 0 is none.
    size = length(entry.line)
    if limits.max_line_size and size > limits.max_line_size:
        return (
            f"max entry size '{limits.max_line_size}' bytes exceeded for stream '{format_labels(labels)}' "
            f"while adding an entry with length '{size}' bytes"
        )
    return metadata_error(entry, labels, limits) if entry.metadata else None


def metadata_error(entry: Entry, labels: Labels, limits: Limits) -> str | None:
    """What is wrong with an entry's structured metadata."""
    stream, size, count = format_labels(labels), metadata_size(entry), len(entry.metadata)
    # Troubleshoot ingest > disallowed_structured_metadata.
    if not limits.allow_structured_metadata:
        return (
            f"stream '{stream}' includes structured metadata, but this feature is disallowed. Please see "
            "`limits_config.allow_structured_metadata` or contact your Loki administrator to enable it"
        )
    # Troubleshoot ingest > structured_metadata_too_large; a limit of 0 is none.
    most = limits.max_structured_metadata_size
    if most and size > most:
        return (
            f"stream '{stream}' has structured metadata too large: '{size}' bytes, limit: '{most}' bytes. "
            "Please see `limits_config.max_structured_metadata_size` or contact your Loki administrator to "
            "increase it"
        )
    # Troubleshoot ingest > structured_metadata_too_many; a limit of 0 is none.
    most = limits.max_structured_metadata_entries_count
    if most and count > most:
        return (
            f"stream '{stream}' has too many structured metadata labels: '{count}', limit: '{most}'. "
            "Please see `limits_config.max_structured_metadata_entries_count` or contact your Loki "
            "administrator to increase it"
        )
    return None


def over_tenant_rate(tenant: str, lines: int, size: int, limits: Limits) -> Refusal:
    """Troubleshoot ingest > rate_limited."""
    rate = int(limits.ingestion_rate_mb * (1 << 20))
    return Refusal(
        429,
        f"ingestion rate limit exceeded for user {tenant} (limit: {rate} bytes/sec) while attempting to ingest "
        f"'{lines}' lines totaling '{size}' bytes, reduce log volume or contact your Loki administrator to see "
        "if the limit can be increased",
    )


def message_error(size: int, limits: Limits) -> Refusal | None:
    """Configuration > server: grpc_server_max_recv_msg_size; of a push or of the answer to a query."""
    most = limits.grpc_server_max_recv_msg_size
    if size <= most:
        return None
    text = f"grpc: received message larger than max ({size} vs. {most})"
    return Refusal(500, f"rpc error: code = ResourceExhausted desc = {text}")


def stream_error(stream: Stream, tenant: str, known: int, limits: Limits, schema_from: int) -> Refusal | None:
    """Why a stream cannot begin, where so many are known."""
    first = stream.entries[0].stamp
    # Configuration > period_config: from; its time is written in seconds.
    if first < schema_from:
        return Refusal(
            500,
            "rpc error: code = Unknown desc = failed to create stream: no schema config found for time "
            f"{first // 10**6 / 1000:.15g}",
        )
    # Troubleshoot ingest > stream_limit.
    if limits.most_streams and known >= limits.most_streams:
        return Refusal(
            429,
            f"maximum active stream limit exceeded when trying to create stream {stream.text}, reduce the number "
            "of active streams (reduce labels or reduce label values), or contact your Loki administrator to see "
            f"if the limit can be increased, user: '{tenant}'",
        )
    return None


def judged(
    stream: Stream, newest: int | None, limits: Limits, allows: Callable[[int], bool]
) -> Iterator[tuple[Entry, Refusal | None]]:
    """Each entry, and what its stream holds against it.

    Args:
        stream: The entries, in the order in which they came.
        newest: The newest time that the stream has.
        limits: The limits.
        allows: Whether so many bytes may pass by the stream's rate.
    """
    window = limits.max_chunk_age // 2
    for entry in stream.entries:
        size = entry_size(entry)
        # Troubleshoot ingest > per_stream_rate_limit. Entries that fit go through before those that do not.
        if not allows(size):
            yield (
                entry,
                Refusal(
                    429,
                    f"Per stream rate limit exceeded (limit: {show_size(limits.per_stream_rate_limit)}/sec) while "
                    f"attempting to ingest for stream '{stream.text}' totaling {show_size(size)}, consider splitting "
                    "a stream via additional labels or contact your Loki administrator to see if the limit can be "
                    "increased",
                ),
            )
        # Troubleshoot ingest > too_far_behind; Configuration > Accept out-of-order writes.
        elif newest is not None and entry.stamp < newest - window:
            yield (
                entry,
                Refusal(
                    400,
                    f"entry too far behind, entry timestamp is: {rfc3339(entry.stamp)}, "
                    f"oldest acceptable timestamp is: {rfc3339(newest - window)}",
                ),
            )
        else:
            newest = entry.stamp if newest is None else max(newest, entry.stamp)
            yield entry, None


def summed(stream: Stream, tenant: str, failed: Sequence[tuple[Entry, Refusal]]) -> Refusal | None:
    """What a stream answers for all its refused entries; the last one gives the status."""
    if not failed:
        return None
    named = "".join(
        f"entry with timestamp {long_time(entry.stamp)} ignored, reason: '{refusal.text}',\n"
        for entry, refusal in failed[:_NAMED]
    )
    ignored = f"total ignored: {len(failed)} out of {len(stream.entries)} for stream: {stream.text}"
    return Refusal(failed[-1][1].status, f"{named}user '{tenant}', {ignored}")
