"""Stores: what an operator does with what is stored already.

``reading`` searches the sinks and ``tailing`` follows them; ``migration`` and ``copying`` bring events from
one store to another, ``replay`` sends dead letters again, ``saved_heads`` keeps the ends of audit chains
elsewhere, and ``archive`` takes out what is old. None of it stands in the way of a log call.
"""
