"""A small shop: orders in Django's database, who did what in the audit table."""
