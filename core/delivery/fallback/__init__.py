"""A sink's fallback: what stores its events while it is down.

Open :mod:`.diverting` first: it stands between a sink's workers and two sinks, and decides by the state of
the :mod:`.circuit` which of them a batch is written to. The :mod:`.ledger` keeps, on disk, which events may
be in the fallback, and :mod:`.returning` brings them back.
"""
