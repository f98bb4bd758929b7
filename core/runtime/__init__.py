"""The runtime: what runs in a process between its log calls and the sinks.

``pipeline`` makes the parts of one configuration, ``runtime`` runs them and replaces them at a reload, and
``current`` knows the one runtime of this process and what happens to it at an exit, a fork and a signal.
"""
