"""Run the double: ``python -m servers.loki_double -port=N -data=DIRECTORY [-flag=value ...]``."""

import logging
import sys
from pathlib import Path

from aiohttp import web

from servers.loki_double.limits import parsed
from servers.loki_double.server import LokiDouble
from servers.loki_double.store import Store


def main(arguments: list[str]) -> None:
    """Serve on loopback until SIGTERM."""
    own = {"-port": "", "-data": ""}
    rest = []
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name in own:
            own[name] = value
        else:
            rest.append(argument)
    limits = parsed(rest)
    logging.basicConfig(level=logging.WARNING)
    app = LokiDouble(Store(Path(own["-data"]) / "entries.jsonl", limits), limits).application()
    web.run_app(app, host="127.0.0.1", port=int(own["-port"]), print=None, access_log=None)


if __name__ == "__main__":
    main(sys.argv[1:])
