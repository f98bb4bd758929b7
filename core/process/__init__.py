"""The process around us: its event loop's thread, its threads, forks, signals and its end.

``loop_thread`` is the thread on which all delivery runs, ``threads`` runs short blocking work off a loop.
``fork`` lets a fork wait until nothing is half done, ``fork_gate`` keeps one out of SQLite's work, and
``hooks`` registers with the interpreter what must happen at an exit, a fork and a signal.
"""
