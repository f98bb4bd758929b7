"""A start is refused where audit rows are gone that this machine, or a file of saved heads, knows.

Whoever drops an audit table must not be helped by a start that makes it anew. A database that does not answer
is no reason to refuse: its sink is opened later, and is refused then, while its events wait on disk.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

from logweir.config.chains import can_chain
from logweir.config.models import RoutingConfig
from logweir.config.queue_plan import delivered_here
from logweir.config.sinks import context_of
from logweir.diagnostics import report
from logweir.errors import ConfigError, ConfigProblem, SinkRejected, SinkUnavailable
from logweir.process.loop_thread import LoopThread
from logweir.process.threads import in_thread
from logweir.sinks import registry
from logweir.sinks.tamper_evidence import StoreMissing, summary_of
from logweir.stores.reading import opened
from logweir.stores.saved_heads import SavedHeads, SavedHeadsError, lost_since, open_saved_heads, sink_of

__all__ = ["lost_rows", "refuse_lost_rows"]

#: How long a start looks.
_LOOKING = 5.0
_ADVICE = "put them back, or record the break by `logweir schema --accept-new-chain --sink {}`"


def refuse_lost_rows(config: RoutingConfig, sinks: Collection[str] | None = None) -> None:
    """See before a start that no rows are gone.

    Args:
        config: The configuration.
        sinks: Those that this process delivers to; by default all but those delivered elsewhere.

    Raises:
        ConfigError: Some are, or a file that knows of them cannot be used.
    """
    if not config.audit.chain:
        return
    own = delivered_here(config) if sinks is None else sinks
    looking = LoopThread(lambda: None)
    try:
        problems = looking.run(_problems(config, own), _LOOKING)
    except TimeoutError:
        report("lost rows", "whether audit rows are gone was not found out within %g s", _LOOKING)
        return
    finally:
        looking.stop()
    if problems:
        raise ConfigError(problems)


async def _problems(config: RoutingConfig, sinks: Collection[str]) -> list[ConfigProblem]:
    return [
        ConfigProblem(f"audit rows are gone: {gone}; {_ADVICE.format(name)}", f"sinks.{name}")
        for name in config.sinks
        if name in sinks
        for gone in [summary_of([each async for each in lost_rows(name, config)])]
        if gone
    ]


async def lost_rows(name: str, config: RoutingConfig, *, by_data_dir: bool = True) -> AsyncIterator[str]:
    """Yield in words what is known of a sink's rows, and gone.

    Args:
        name: The sink.
        config: The configuration.
        by_data_dir: Whether what ``data_dir`` knows is looked at, too.
    """
    settings = config.sinks[name]
    sink_class: Any = registry.resolve(settings.type)
    if not config.audit.chain or not can_chain(settings, registry.resolve):
        return
    try:
        saved = await in_thread(lambda: _saved(name, config.audit.saved_heads))
    except SavedHeadsError as error:
        yield str(error)
        return
    probe: Any = sink_class(settings, context_of(name, config, read_only=True))
    knows = by_data_dir and await in_thread(probe.knows)
    if not knows and not saved:
        return
    try:
        async with opened(name, config, read_only=True) as target:
            if knows:
                async for finding in target.itself.lost():
                    yield finding.detail
            # What was known under an earlier id was closed, or accepted to be gone, with the key.
            earlier = {epoch.table_id for epoch in target.itself.epochs()[:-1]}
            for file in (file for file in saved if file.table_id not in earlier):
                async for finding in lost_since(file, target.itself):
                    yield finding.detail
    except (SinkRejected, StoreMissing) as error:
        yield str(error)
    except SinkUnavailable:
        pass  # its sink finds out when it opens


def _saved(name: str, paths: list[Path]) -> list[SavedHeads]:
    # All of them, to see that each is whole: the name of the sink may be what is damaged.
    files = [(sink, open_saved_heads(path, sink)) for path in paths for sink in [sink_of(path)]]
    return [file for sink, file in files if sink == name]
