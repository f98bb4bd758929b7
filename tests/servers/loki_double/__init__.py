"""A strict double of Grafana Loki: its documented HTTP interface, limits and refusals, in a process of its own.

It holds streams, refuses what Loki refuses with Loki's statuses and words, and answers the few queries that
logweir sends. It is written from Loki's documentation and from answers that were seen; each rule names its
source. It is no query engine and no store for production.
"""
