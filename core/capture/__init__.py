"""Capture: from one call of the application to an event, in the caller's thread, without IO.

``capture`` puts an event together, ``snapshot`` copies, redacts and bounds its fields in one walk, and
``truncation`` cuts one that is too large as a whole. Nothing that a caller logs makes it raise, and what was
captured shares nothing with the caller.
"""
