"""Mutation tests: do the tests of a room notice when its code is broken?

``make mutants`` breaks one small thing at a time (a comparison, a statement, a returned value) and runs the
tests that reach that line. What they do not notice *survived*: either no test asks for that behaviour, or the
change means nothing. ``mutations`` finds what can be broken, ``plugin`` loads a broken module in the place of
the sound one, ``runner`` runs tests against it, and ``__main__`` is the command.
"""
