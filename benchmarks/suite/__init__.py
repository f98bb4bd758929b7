"""The suite that chooses a backend: one workload against every backend, and the report of it.

``workload`` makes the events, ``truth`` knows the right answers, ``natives`` is what each backend can do
beyond a sink's contract, ``steps`` measures, ``runner`` orders and saves, ``report`` shows,
``recommend`` decides.
"""
