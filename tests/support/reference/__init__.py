"""The pages of the reference that are written from the code: ``make reference`` writes them, a test compares them."""
