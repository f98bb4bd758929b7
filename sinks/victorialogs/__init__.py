"""VictoriaLogs: lines of JSON through httpx, read back by LogsQL. It knows no ids: at least once."""

from typing import TYPE_CHECKING

from logweir.sinks.victorialogs.config import VictoriaLogsConfig

if TYPE_CHECKING:
    from logweir.sinks.victorialogs.sink import VictoriaLogsSink

__all__ = ["VictoriaLogsConfig", "VictoriaLogsSink"]


def __getattr__(name: str) -> object:
    # The options are read where another process writes to the sink, which needs no HTTP client.
    if name == "VictoriaLogsSink":
        from logweir.sinks.victorialogs.sink import VictoriaLogsSink  # noqa: PLC0415 - see above

        return VictoriaLogsSink
    raise AttributeError(name)
