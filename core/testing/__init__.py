"""What users need for their own tests: ``capture()``, and the contract suites for sinks and brokers.

The pytest plugin (loaded by itself) offers the fixture ``logweir_capture``.
"""

from logweir.testing.broker_contract import BrokerContract
from logweir.testing.capture import Captured, capture
from logweir.testing.contract import SinkContract

__all__ = ["BrokerContract", "Captured", "SinkContract", "capture"]
