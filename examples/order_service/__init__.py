"""An order service: audit of funds and permissions apart from the tracing of everything else."""
