"""What is published: built the same each time, and tried in fresh environments as strangers install it."""
