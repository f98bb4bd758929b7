"""Telemetry: what the runtime counts, and how others get to see it.

``model`` holds the counts of one moment, ``prometheus`` writes them in its text format, ``server`` serves
that over HTTP, ``shared`` and ``summing`` bring together what several processes count, and ``loss_reports``
reports in the log of the application that events were lost.
"""
