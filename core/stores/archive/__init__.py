"""Retention: old events leave a sink, archived as Parquet and verified before anything is deleted.

The order of the work is what makes it safe, whenever it is killed:

1. the files of one UTC day are written, under a name that no other run uses;
2. they are read back and compared with what was read from the sink, row by row and by their hash;
3. a manifest that names them is written, atomically: from now on the day is archived;
4. the rows whose ids stand in those files, and no others, are deleted in small batches.

Killed before 3, the next run removes the files and begins the day anew. Killed after it, the next run
verifies the files again and goes on deleting. A row that arrived late is in no file, and stays for the
next run.
"""
