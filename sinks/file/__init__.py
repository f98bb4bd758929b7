"""The file sink: JSON lines, rotated by size and time, compressed, shared by several processes."""

from logweir.sinks.file.config import FileConfig
from logweir.sinks.file.sink import FileSink

__all__ = ["FileConfig", "FileSink"]
