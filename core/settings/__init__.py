"""Settings: the parts of a configuration that a sink's own ``Config`` is made of.

Sizes and durations with units, one value or a list of them, queues, batches and retries, retention, and what
operators set. They stand below the sinks, which derive their options from them; the models of the whole
routing.yaml are in ``config``, above the sinks.
"""
