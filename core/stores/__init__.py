"""Stores: what an operator does with what is stored already.

``reading`` searches the sinks and ``tailing`` follows them. ``migration`` brings events from one store to
another and ``replay`` sends dead letters again, both by ``bounded_delivery``. ``saved_heads`` keeps the ends
of audit chains elsewhere, and ``archive`` takes out what is old. None of it stands in the way of a log call.
"""
