"""Routing: whether an event is audit or tracing, and which sinks it goes to.

``conditions`` compiles the match language of routing.yaml, ``classifier`` decides the kind by the rules, and
``router`` finds the sinks by the routes. All of it is pure: it is given an event's head and fields, and
knows nothing of queues or backends.
"""
