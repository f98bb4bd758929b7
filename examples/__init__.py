"""Runnable applications that use logweir, to read and to copy."""
