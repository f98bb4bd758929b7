"""Real servers for tests, and the faults that are done to them.

A test asks for the fixture of a server (``mysql``, ``mariadb``, ``postgresql``, ``mongodb``,
``elasticsearch``, ``opensearch``, ``loki``, ``victorialogs``, ``pgbouncer``, ``redis``, ``redis_cluster``, ``kafka``:
one for the whole session), or for one of its own (``own_server("mysql")``) when it will kill, pause or fill it;
``proxy(server)`` puts a FaultProxy in front of either.

Where a server comes from, in this order: the URL in ``LOGWEIR_TEST_<NAME>_URL``, what is installed on the
machine, a recipe that installs it (``make servers`` does this beforehand). The server of Loki may not be
built here: ``loki`` is a strict double of its documented behaviour, and VictoriaLogs the real server that
speaks its push API; a test that needs the real Loki asks for ``real_loki``. Every server that a session
starts listens on loopback only and ends with the session, also when the session is killed.
"""

from servers.errors import Unavailable
from servers.proxy import FaultProxy
from servers.server import Server

__all__ = ["FaultProxy", "Server", "Unavailable"]
