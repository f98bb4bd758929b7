"""Encoding: how values, times and whole events are written as JSON, and read back.

``values`` turns whatever a caller logs into JSON's own types, ``times`` writes and reads moments, ``events``
is the one line that stands for an event, and ``fields`` finds and compares the fields of one. All of it is
pure, and stores, queues and sinks mean the same by a value because they use nothing else.
"""

from logweir.encoding.events import decode_event, encode_event

__all__ = ["decode_event", "encode_event"]
