"""A ledger, stage V1: every audit row is written explicitly, in the transaction of the business data."""
