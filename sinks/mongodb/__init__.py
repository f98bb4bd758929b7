"""MongoDB: unordered inserts through motor or PyMongo."""
