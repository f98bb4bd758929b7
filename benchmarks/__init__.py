"""The benchmarks: what logweir costs, beside its rivals, in one run."""
