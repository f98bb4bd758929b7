"""Sinks: one module or folder for each backend, behind one contract."""
