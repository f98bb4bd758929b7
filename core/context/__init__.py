"""Context: what every event below a point in the program carries, across tasks and threads.

``binding`` sets and forgets values, ``trace`` has the ids that hold a request together, and ``threads``
brings both to work in other threads, which do not inherit them as tasks do.
"""
