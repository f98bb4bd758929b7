"""Real servers for tests, and the faults that are done to them.

A test asks for the fixture of a server (``mysql``, ``mariadb``, ``postgresql``, ``mongodb``,
``elasticsearch``, ``loki``: one for the whole session), or for one of its own (``own_server("mysql")``)
when it will kill, pause or fill it; ``proxy(server)`` puts a FaultProxy in front of either.

Where a server comes from, in this order: the URL in ``LOGWEIR_TEST_<NAME>_URL``, what is installed on the
machine, a recipe that installs it (``make servers`` does this beforehand). Every server that a session
starts listens on loopback only and ends with the session, also when the session is killed.
"""

from servers.errors import Unavailable
from servers.proxy import FaultProxy
from servers.server import Server

__all__ = ["FaultProxy", "Server", "Unavailable"]
