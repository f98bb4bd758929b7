"""The chain of the relational sinks: rows linked by hashes, so that tampering shows.

``hashing`` computes what stands in a row, ``identity`` whose table it is, ``tables`` keeps where the chain of
each writer ends, ``writing`` numbers and links the rows of a batch, and ``deleting`` signs which of them go
rightly. ``verifying`` reads every row again,
by ``pages``, each by its rule (``rules``): ``stretch`` goes along the chains, ``judging`` says what is wrong,
and ``dividing`` says which parts can be verified by themselves, and why. ``known`` keeps outside of the
database what is known of it. The format is ``docs/reference/audit-chain.md``.
"""
