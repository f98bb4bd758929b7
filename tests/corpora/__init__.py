"""What logs look like outside: secrets as programs log them, and harmless events as vendors document them.

`corpora.secrets` generates the first, `corpora.audit_events` the second; ``python -m corpora`` measures what is
masked of each. All is made from a seed: no value here was ever in use.
"""
