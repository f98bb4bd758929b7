"""A sink that goes down, and the one that stands in for it: ``python -m logweir.examples.fallback``."""
