"""A webhook: events as JSON to an HTTP address of your own."""
