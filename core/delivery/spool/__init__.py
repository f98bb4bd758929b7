"""The spool: one SQLite file for one process, behind all its durable queues.

``spool`` holds the design: constraints, invariants, recovery. An event goes through ``staging``, is
written by the ``committer`` with ``removals`` of what is settled, and waits in its sink's ``backlog``;
``notifications`` go to those who wait for it, and ``reading`` brings it back when memory could not keep
it. ``spool_file`` is the on-disk format, ``current_file`` the one in use, ``ownership`` whose it is.
``recovery`` replaces a damaged file with what can be read of it: ``salvage`` asks open connections,
``raw_salvage`` reads the ``pages`` and the ``write_ahead_log`` without SQLite. ``orphans`` are the files of
dead processes, ``former_directories`` those that a reload has left, ``unconfigured`` is what no sink wants
any more, and ``housekeeping`` looks after these from time to time. ``sqlite_errors`` are the errors that
others see.
"""
