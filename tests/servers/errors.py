"""What can be wrong with a server before a test has even begun."""


class Unavailable(Exception):
    """This machine cannot have the server; the message says why and what would help."""


class NotStarted(Exception):
    """The server was started and did not become ready; the message has the end of its log."""
