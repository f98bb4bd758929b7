"""Relational sinks: one audit table, written by SQLAlchemy Core through an asynchronous driver."""
