"""The spool: one SQLite file for one process, behind all its durable queues.

``spool`` holds the design: constraints, invariants, recovery. ``spool_file`` holds the on-disk format, and
``ownership`` says whose a file is. ``orphans`` takes over what dead processes left, ``salvage`` reads what is
damaged, and ``housekeeping`` does both from time to time.
"""
