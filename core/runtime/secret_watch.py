"""The watch over ``${file:…}``: a secret that is renewed on disk reaches its sink without a reload.

So do files of TLS, where a driver reads them but once; the others look at theirs at each connection. Whatever
refuses the old secret is asked again and again meanwhile, and its events wait. The sinks that are concerned
are replaced as by a reload, which loses nothing; the others do not notice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from logweir.config.loading import reread, secret_files_of
from logweir.config.models import RoutingConfig
from logweir.config.secret_files import State, state_of
from logweir.diagnostics import report
from logweir.errors import ConfigError, MissingDependency
from logweir.process.threads import in_thread
from logweir.runtime.pipeline import files_of_sinks
from logweir.settings.tls_files import files_read_once

__all__ = ["SecretWatch"]

#: Seconds between two looks at what the system says of the files.
_EVERY = 1.0

Files = Mapping[str, tuple[str, ...]]


class SecretWatch:
    """Reads files of secrets again that have changed.

    Args:
        in_force: Returns the configuration in force, and what stood in the files of TLS when its sinks were
            made.
        renew: Puts another one in the place of the first, and returns whether it has; gets what stands in the
            files of TLS too.
    """

    def __init__(
        self,
        in_force: Callable[[], tuple[RoutingConfig, Files]],
        renew: Callable[[RoutingConfig, RoutingConfig, Files], Awaitable[bool]],
    ) -> None:
        self._in_force = in_force
        self._renew = renew
        self._known: tuple[RoutingConfig, State] | None = None

    async def run(self) -> None:
        """Look again and again, without end."""
        while True:
            await asyncio.sleep(_EVERY)
            await self._look()

    async def _look(self) -> None:
        (config, before), known = self._in_force(), self._known
        once = {name: [*files_read_once(sink)] for name, sink in config.sinks.items()}
        paths = [*secret_files_of(config).files, *(path for files in once.values() for path in files)]
        if not paths:
            return
        # Before they are read: what changes while they are read is looked at once more.
        state = await in_thread(lambda: state_of(paths))
        if known is not None and known[0] is config and known[1] == state:
            return
        try:
            renewed, contents = await in_thread(lambda: _read(config))
        except (ConfigError, MissingDependency) as error:
            report("secret_files", "the files of secrets cannot be read again: %s", error)
            return
        changed = [
            name
            for name, sink in renewed.sinks.items()
            if sink is not config.sinks[name] or (once[name] and contents[name] != before.get(name))
        ]
        if not changed or await self._renew(config, renewed, contents):
            self._known = renewed, state
            for name in changed:
                said = "sink %r is opened anew with what its files have now"
                report(f"{name}.secret", said, name, level=logging.INFO)


def _read(config: RoutingConfig) -> tuple[RoutingConfig, Files]:
    renewed = reread(config)
    return renewed, files_of_sinks(renewed)
