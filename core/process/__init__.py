"""The process around us: its event loop's thread, its threads, forks, signals and its end.

``life`` is the state machine: the stages of a process and what each call gets in them.
``loop_thread`` is the thread on which all delivery runs, ``executor`` has the threads for its blocking work;
``threads`` runs short blocking work off any loop.
``fork`` is the written order of all that happens at a fork; ``standstill`` lets one wait until nothing is
half done, and ``fork_gate`` keeps one out of SQLite's work. ``hooks`` registers with the interpreter what
must happen at an exit and at a signal.
"""
