"""What differs between the databases, a module for each, behind one contract."""
