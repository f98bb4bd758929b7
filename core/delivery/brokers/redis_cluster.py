"""The client of a Redis Cluster: the same commands, each sent to the node that has its slot.

All keys of a command have one hash tag, so that it has one node; a pipeline is split, and its answers
come back in order. What is different: one question cannot read streams of several slots: each is asked
for itself, and who waits asks again. After a failure the map of the slots is learnt anew, for a node may
have handed its slots to another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis import exceptions
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from logweir.delivery.brokers.redis_client import ANSWER, CONNECTION, Client, Command
from logweir.delivery.brokers.redis_scripts import ALL
from logweir.diagnostics import report
from logweir.errors import SinkRejected, SinkUnavailable

__all__ = ["ClusterClient"]

#: The pause between two questions of one who waits, in seconds: from, doubled each time, up to.
_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.05
#: Answers that say that our map of the slots may be old.
_STALE = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.ClusterError, exceptions.AskError)


class ClusterClient(Client):
    """Commands for a Redis Cluster, of which the url names any node."""

    _redis: RedisCluster
    _generation = 0

    def _connect(self, url: str, name: str) -> Any:
        return RedisCluster.from_url(url, client_name=name, retry=Retry(NoBackoff(), 0), **CONNECTION)

    async def one(self, *command: Any, wait: float = 0.0) -> Any:
        """See :meth:`Client.one`."""
        generation = self._generation
        try:
            return await super().one(*command, wait=wait)
        except SinkUnavailable:
            await self._learn_anew(generation)
            raise

    async def many(self, commands: Sequence[Command], wait: float = 0.0) -> list[Any]:
        """See :meth:`Client.many`."""
        generation = self._generation
        try:
            answers = await super().many(commands, wait)
        except SinkUnavailable:
            await self._learn_anew(generation)
            raise
        if any(isinstance(answer, _STALE) for answer in answers):
            await self._learn_anew(generation)
        return answers

    async def _pipeline(self, commands: Sequence[Command]) -> Any:
        await self._redis.initialize()
        pipeline = self._redis.pipeline()
        for command in commands:
            # Where the key of a read stands, the client would ask the server each time.
            read = command[0] == "XREADGROUP"
            target = {"target_nodes": self._redis.get_node_from_key(command[-2])} if read else {}
            pipeline.execute_command(*command, **target)
        return pipeline

    async def _learn_anew(self, generation: int) -> None:
        if generation == self._generation:  # once for all whom one failure has met
            self._generation += 1
            await self._redis.aclose()

    async def read(self, group: Command, streams: Sequence[str], timeout: float) -> tuple[list[Any], bool]:
        """See :meth:`Client.read`."""
        commands = [("XREADGROUP", *group, "STREAMS", stream, ">") for stream in streams]
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + timeout, _FIRST_PAUSE
        while True:
            answers = await self.many(commands)
            found = [part for answer in answers if isinstance(answer, list) for part in answer]
            failed = [answer for answer in answers if isinstance(answer, Exception)]
            missing = any("NOGROUP" in str(error) for error in failed)
            if not found and not missing:
                self.sound(failed)
            elif (
                failed and not missing
            ):  # what one node handed out is not forgotten for the failure of another
                said = self.reason(failed[0])
                report(
                    "redis.cluster", "%d of %d partitions do not answer: %s", len(failed), len(answers), said
                )
            if found or missing or (left := end - loop.time()) <= 0:
                return found, missing
            await asyncio.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def load(self) -> None:
        """See :meth:`Client.load`."""
        for script in ALL:
            await self.one("SCRIPT LOAD", script.text)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with super()._errors():
                try:
                    yield
                except exceptions.AskError:  # more often than the client follows
                    raise SinkUnavailable("Redis: slots of the cluster are being moved") from None
        except exceptions.RedisClusterException as error:
            with super()._errors():
                if (cause := _cause_of(error)) is not None:
                    raise cause from None
            if "not enabled" in str(error):
                raise SinkRejected("Redis: this is no cluster; leave cluster: true out") from None
            raise SinkUnavailable(self.reason(error)) from None

    async def views(self) -> dict[str, Client]:
        """See :meth:`Client.views`."""
        with self._errors():
            await self._redis.initialize()
            nodes = self._redis.get_primaries()
            return {node.name: _NodeClient(self._redis, node, self._secrets) for node in nodes}


def _cause_of(error: BaseException) -> Exception | None:
    """What a node answered to whoever asked for the map of the slots, if that is a refusal."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, exceptions.AuthenticationError | exceptions.NoPermissionError):
            return at
        at = at.__cause__ or at.__context__
    return None


class _NodeClient(Client):
    """One node of a cluster, asked what it is; closed by the client of the cluster."""

    def __init__(self, cluster: RedisCluster, node: ClusterNode, secrets: list[str]) -> None:
        self._secrets, self._files = secrets, ""
        self._redis, self._node = cluster, node

    async def one(self, *command: Any, wait: float = 0.0) -> Any:
        """See :meth:`Client.one`."""
        with self._errors():
            async with asyncio.timeout(wait + ANSWER):
                return await self._redis.execute_command(*command, target_nodes=self._node)
