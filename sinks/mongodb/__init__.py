"""MongoDB and what speaks its protocol: one document for each event, written in unordered bulks."""
