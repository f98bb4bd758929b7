"""What a request brings along; it is read by :mod:`logweir.context.incoming`, and has its name here too."""

from logweir.context.incoming import Incoming, read_incoming

__all__ = ["Incoming", "read_incoming"]
