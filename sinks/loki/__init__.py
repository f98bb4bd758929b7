"""Loki: the push API through httpx."""
