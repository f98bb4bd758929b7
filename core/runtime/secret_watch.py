"""The watch over ``${file:…}``: a secret that is renewed on disk reaches its sink without a reload.

Whatever refuses the old secret is asked again and again meanwhile, and its events wait. The sinks whose
options have changed are replaced as by a reload, which loses nothing; the others do not notice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from logweir.config.loading import reread, secret_files_of
from logweir.config.models import RoutingConfig
from logweir.config.secret_files import State
from logweir.diagnostics import report
from logweir.errors import ConfigError, MissingDependency
from logweir.process.threads import in_thread
from logweir.runtime.pipeline import files_of_sinks

__all__ = ["SecretWatch"]

#: Seconds between two looks at what the system says of the files.
_EVERY = 1.0

Files = Mapping[str, tuple[str, ...]]


class SecretWatch:
    """Reads files of secrets again that have changed.

    Args:
        config: Returns the configuration in force.
        renew: Puts another one in the place of the first, and returns whether it has; gets what stands in the
            files of TLS too.
    """

    def __init__(
        self,
        config: Callable[[], RoutingConfig],
        renew: Callable[[RoutingConfig, RoutingConfig, Files], Awaitable[bool]],
    ) -> None:
        self._config = config
        self._renew = renew
        self._known: tuple[RoutingConfig, State] | None = None

    async def run(self) -> None:
        """Look again and again, without end."""
        while True:
            await asyncio.sleep(_EVERY)
            await self._look()

    async def _look(self) -> None:
        config = self._config()
        files = secret_files_of(config)
        if not files.files:
            return
        # Before they are read: what changes while they are read is looked at once more.
        state = await in_thread(files.state)
        if self._known is not None and self._known[0] is config and self._known[1] == state:
            return
        try:
            renewed, of_tls = await in_thread(lambda: _read(config))
        except (ConfigError, MissingDependency) as error:
            report("secret_files", "the files of secrets cannot be read again: %s", error)
            return
        if renewed is config:
            self._known = config, state
        elif await self._renew(config, renewed, of_tls):
            self._known = renewed, state
            for name in (name for name, sink in renewed.sinks.items() if sink is not config.sinks[name]):
                said = "sink %r goes on with the secret that its file has now"
                report(f"{name}.secret", said, name, level=logging.INFO)


def _read(config: RoutingConfig) -> tuple[RoutingConfig, Files]:
    renewed = reread(config)
    return renewed, {} if renewed is config else files_of_sinks(renewed)
