"""The chain of the relational sinks: rows linked by hashes, so that tampering shows.

``links`` computes what stands in a row, ``tables`` keeps where the chain of each writer ends, and ``writing``
numbers and links the rows of a batch. ``verifying`` reads every row again, and ``judging`` says what is wrong
with what it finds. The format is ``docs/reference/audit-chain.md``.
"""
