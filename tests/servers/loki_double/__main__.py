"""``python -m servers.loki_double -port=N -data=DIR [-flag=value ...]``: serve until SIGTERM or SIGINT."""

import asyncio
import signal
import sys

from aiohttp import web

from servers.loki_double.options import Options, parse_arguments
from servers.loki_double.server import LokiDouble


async def serve(options: Options) -> None:
    """Listen on loopback."""
    runner = web.AppRunner(
        LokiDouble(options).application(), access_log=None, auto_decompress=False, shutdown_timeout=0.1
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", options.port).start()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    await runner.cleanup()


def main() -> int:
    """Serve; 2 if the arguments are wrong."""
    try:
        options = parse_arguments(sys.argv[1:])
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    asyncio.run(serve(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
