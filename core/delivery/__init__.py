"""Delivery: queues, workers, back-off, receipts and dead letters; from an event to its sinks."""
