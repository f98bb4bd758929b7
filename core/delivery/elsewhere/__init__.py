"""Delivery elsewhere: an application appends to its spool, and a worker process of the host delivers from it.

::

    application                                        queues/                       worker process
    log call -> ElsewhereQueue -> spool -> commit      4711-9f3a2c1e.db         ---> HostSpool reads
                                    |                  audit.wake          (FIFO) --> ... wakes it
                 Ledger <- Line <---+----------------- 4711-9f3a2c1e.audit.settled (FIFO) <-- what is settled
                    |                                  audit.worker    locked by the worker, its sign of life
                    +--> deleted with the next commit

Only the owner of a spool file ever writes it, so that no transaction of the worker can hold up the
group commit: the worker reads, and reports what is settled; the application deletes it with its next commit.

1. What the worker has not reported stays in the file: a worker that dies in between is followed by one that
   sends it again, and sinks know events by their ids.
2. What a dead application left is read in the same way, and deleted by whoever takes the lock of its file.
3. The worker reads the file of a living process only once that process has made the FIFO of the file: until
   then it may still be filled from a damaged one, out of order.
4. Rows of a sink become visible in the order of their positions, so that "settled from here to there" says
   nothing about rows that the worker has not seen.

All files belong to the user of the application, and nobody else may read them: the worker runs as that user.
"""
