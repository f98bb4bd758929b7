"""What users need for their own tests: ``capture()``, and the contract suites for sinks and brokers.

The pytest plugin (loaded by itself) offers the fixture ``logweir_capture``. Each name is imported when it is
first used: every run of pytest loads the plugin, and with it this package.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logweir.testing.broker_contract import BrokerContract
    from logweir.testing.captured import Captured, capture
    from logweir.testing.contract import SinkContract

__all__ = ["BrokerContract", "Captured", "SinkContract", "capture"]

_HOME_OF = {
    "BrokerContract": "broker_contract",
    "Captured": "captured",
    "SinkContract": "contract",
    "capture": "captured",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
