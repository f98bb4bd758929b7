"""What an application feels of its log: a FastAPI service under an open-loop load.

Each contender (:mod:`.contenders`) is a service in a process of its own (:mod:`.service`), on a core of
its own. The load (:mod:`.load`) and the store are on another: what they cost is not the service's. Requests
arrive at times that were fixed in advance, whether those before were answered or not, and latency counts from
the planned arrival, so that a service that stands still is seen by everybody who would have waited for it.
"""
