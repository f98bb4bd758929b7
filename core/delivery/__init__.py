"""Delivery: queues, workers, back-off, acknowledgements and dead letters; from an event to its sinks."""
