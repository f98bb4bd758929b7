"""The shop's own table."""
