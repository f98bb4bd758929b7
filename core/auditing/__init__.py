"""Auditing: records of what somebody did, which are never lost in silence."""
