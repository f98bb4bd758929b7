"""Serve the order service on loopback: ``python -m logweir.examples.order_service [PORT]``.

With port 0, the system chooses one. The first line on stdout says where the service listens.
"""

from __future__ import annotations

import os
import socket
import sys

import uvicorn

from logweir.config.loading import load_config
from logweir.errors import ConfigError, MissingDependency


def main() -> None:
    """Listen, say where, and serve until SIGTERM or SIGINT."""
    try:
        load_config(os.environ.get("LOGWEIR_CONFIG", "routing.yaml"))  # before an address is given
    except (ConfigError, MissingDependency) as error:
        print(f"order service: {error}", file=sys.stderr)  # noqa: T201 - for people
        sys.exit(2)
    listener = socket.create_server(
        ("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8000), backlog=512
    )
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201 - the address is the output
    config = uvicorn.Config("logweir.examples.order_service.app:app", log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
