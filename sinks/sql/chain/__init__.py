"""The chain of the relational sinks: rows linked by hashes, so that tampering shows.

``hashing`` computes what stands in a row, ``identity`` whose table it is, ``tables`` keeps where the chain of
each writer ends, and ``writing`` numbers and links the rows of a batch. ``verifying`` reads every row again
by its rule (``rules``), and ``judging`` says what is wrong with what it finds. ``known`` keeps outside of the
database what is known of it. The format is ``docs/reference/audit-chain.md``.
"""
