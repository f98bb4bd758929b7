"""The queues between the callers and a sink's workers, one module for each kind.

``memory`` is fastest and dies with the process, ``disk`` survives it, and ``spill`` puts on disk what memory
cannot hold. ``bounded`` is what the first two share. ``broker`` is filled by a broker instead of by callers,
in the process that delivers from it. All keep the contract of :mod:`logweir.delivery.queue`; the two that use
a disk do it through :mod:`logweir.delivery.spool`.
"""
