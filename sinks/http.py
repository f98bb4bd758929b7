"""An HTTP webhook."""
