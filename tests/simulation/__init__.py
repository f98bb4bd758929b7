"""Simulated histories: the whole of delivery under faults, hours of it in a fraction of a second, by a seed.

Everything runs in one thread of the machine, on a loop whose time is a number (:mod:`.clock`). Callers, the committer
and the drain have threads that the seed switches wherever one takes a lock or lets it go (:mod:`.threads`,
:mod:`.locks`), or anywhere in its code (:mod:`.interruption`). A *world* (:mod:`.world`) has the
stores, which fail, stall and refuse as the seed says, and remembers what it was given. A *process*
(:mod:`.process`) is an object with the real queues, spool, channels, workers, receipts, fan-out and reload; a
crash forgets it, and the next one finds the files as they were at that moment. A *history* (:mod:`.history`) is what
callers and operators do, and :mod:`.laws` is what must hold whatever happened. The same seed gives the same history.

The model is that of FoundationDB's simulation and of TigerBeetle's VOPR: one seed, injected time and faults,
real code in between.
"""
