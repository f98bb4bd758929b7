"""What users of logweir need for their own tests: ``capture()``, and the contract suite for custom sinks.

The pytest plugin (loaded by itself) offers the fixture ``logweir_capture``.
"""

from logweir.testing.capture import Captured, capture
from logweir.testing.contract import SinkContract

__all__ = ["Captured", "SinkContract", "capture"]
