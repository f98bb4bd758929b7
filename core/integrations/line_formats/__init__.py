"""What other loggers write: a table of their formats, and the one reader that applies it.

`table` is data: which names a format gives to time, level, message and trace, how its lines are recognised,
and the patterns of those that are text. `values` understands the times, levels and trace ids of others,
`texts` finds them in plain lines, `plans` works out once for each shape of line what is to be looked at,
`documents` unfolds files that hold many events in one document, and `containers` joins what a container
runtime cut into pieces.
"""
