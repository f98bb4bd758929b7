"""The runtime: what runs in a process between its log calls and the sinks.

``pipeline`` makes the parts of one configuration and ``runtime`` runs them; ``fan_out`` hands each event to
the queues of its sinks, ``reload`` replaces the pipeline in force, and ``explicit_rows`` writes past the
queues. ``early_lines`` keeps what is logged before a runtime runs, ``late_lines`` saves what comes after it,
and ``inheritance`` says what a spawned child starts from. ``current`` knows the one runtime of this process
and what happens to it at an exit, a fork and a signal.
"""
