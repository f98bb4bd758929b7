"""What a sink may know of the configuration around it.

A sink gets its own options and a :class:`~logweir.sinks.contract.SinkContext`, never the whole of
routing.yaml. Whoever makes a sink from a configuration, to deliver, read, archive or replay, makes its
context here.
"""

from __future__ import annotations

from logweir.config.models import RoutingConfig
from logweir.sinks.contract import SinkContext
from logweir.sinks.tamper_evidence import Chaining

__all__ = ["context_of"]


def context_of(name: str, config: RoutingConfig, *, workers: int = 1, read_only: bool = False) -> SinkContext:
    """Return what a sink may know of the process."""
    audit = config.audit
    return SinkContext(
        name=name,
        service=config.service,
        env=config.env,
        data_dir=config.data_dir,
        workers=workers,
        chaining=Chaining(audit.chain_key) if audit.chain else None,
        read_only=read_only,
    )
