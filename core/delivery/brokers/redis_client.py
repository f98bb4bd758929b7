"""The client of Redis: made from a url, with its errors turned into ours and its scripts loaded.

Nothing is repeated here: whether to send again is for the worker to decide, who knows what a repetition
costs.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis import __version__, exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo

from logweir.delivery.brokers.redis_scripts import ALL, Script
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.redaction.messages import mask, secrets_in
from logweir.settings.redis_urls import files_of

__all__ = ["ANSWER", "CONNECTION", "Client", "Command"]

#: A command and its arguments.
Command = tuple[Any, ...]

#: How long Redis may take to answer anything that does not wait, in seconds.
ANSWER = 10.0
#: What every connection is made with.
CONNECTION: dict[str, Any] = {
    "protocol": 2,
    "socket_connect_timeout": 5.0,
    "socket_timeout": None,
    # The client would look for its own version on the disk, on the loop.
    "driver_info": DriverInfo(lib_version=__version__),
    "health_check_interval": 0,
}
#: Commands whose answers are left as Redis gives them.
_RAW = ("XREADGROUP", "XAUTOCLAIM", "XPENDING", "XCLAIM", "XRANGE")
#: How an operator's change is needed, by the first word of the answer.
_REFUSALS = frozenset({"NOAUTH", "WRONGPASS", "NOPERM", "WRONGTYPE", "DENIED"})
_OF_FILES = re.compile(r"No such file|Permission denied|PEM lib|NO_START_LINE")
_FULL = "it is full (maxmemory) and takes nothing"


class Client:
    """Commands for one Redis; connections are made when they are needed."""

    def __init__(self, url: str, name: str) -> None:
        self._secrets = secrets_in(url)
        self._files = files_of(url)
        self._redis = self._connect(url, name)
        for command in _RAW:
            self._redis.set_response_callback(command, _as_it_is)

    def _connect(self, url: str, name: str) -> Any:
        """Make redis-py's own client; nothing is connected yet."""
        return Redis.from_url(url, client_name=name, retry=Retry(NoBackoff(), 0), **CONNECTION)

    async def one(self, *command: Any, wait: float = 0.0) -> Any:
        """Send a command that may wait on the server for so many seconds.

        Raises:
            SinkUnavailable: It was not answered, or is refused for now.
            SinkRejected: It is refused.
        """
        with self._errors():
            async with asyncio.timeout(wait + ANSWER):
                try:
                    return await self._redis.execute_command(*command)
                except exceptions.ReadOnlyError:
                    await self._leave()
                    raise

    async def many(self, commands: Sequence[Command], wait: float = 0.0) -> list[Any]:
        """Send commands together; an answer that is an error is returned in its place.

        Raises:
            SinkUnavailable: They were not answered.
            SinkRejected: We are refused.
        """
        with self._errors():
            async with asyncio.timeout(wait + ANSWER):
                pipeline = await self._pipeline(commands)
                answers: list[Any] = await pipeline.execute(raise_on_error=False)
                if any(isinstance(answer, exceptions.ReadOnlyError) for answer in answers):
                    await self._leave()
                return answers

    async def _leave(self) -> None:
        """Leave the connections to a Redis that is a replica now: a new one may reach the one that is not.

        The client of a cluster learns by itself where its partitions are.
        """
        if isinstance(self._redis, Redis):
            await self._redis.connection_pool.disconnect(inuse_connections=False)

    async def _pipeline(self, commands: Sequence[Command]) -> Any:
        pipeline = self._redis.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return pipeline

    async def read(self, group: Command, streams: Sequence[str], timeout: float) -> tuple[list[Any], bool]:
        """Hand out entries of streams to a consumer; wait ``timeout`` seconds for one.

        Args:
            group: What stands between the command and the streams.
            streams: Their names.
            timeout: 0 does not wait.

        Returns:
            Names with their entries, and whether a group was missing.
        """
        block = ("BLOCK", max(1, int(timeout * 1000))) if timeout > 0 else ()
        places = [">"] * len(streams)
        try:
            found = await self.one("XREADGROUP", *group, *block, "STREAMS", *streams, *places, wait=timeout)
        except SinkUnavailable as error:
            if "NOGROUP" not in str(error):
                raise
            return [], True
        return found or [], False

    async def scripts(self, calls: Sequence[Command], then: Sequence[Command] = ()) -> list[Any]:
        """Call scripts (each with its keys and arguments) together, and send what is to follow them.

        A Redis that was started since does not know them: it is given them, and asked again for what it
        refused.
        """
        commands = [_evalsha(*call) for call in calls]
        answers = await self.many([*commands, *then])
        unknown = [
            index for index, answer in enumerate(answers) if isinstance(answer, exceptions.NoScriptError)
        ]
        if unknown:
            await self.load()
            again = await self.many([*(commands[index] for index in unknown), *then])
            for index, answer in zip([*unknown, *range(len(calls), len(answers))], again, strict=True):
                answers[index] = answer
        return answers

    async def load(self) -> None:
        """Give Redis the scripts."""
        self.sound(await self.many([("SCRIPT LOAD", script.text) for script in ALL]))

    async def views(self) -> dict[str, Client]:
        """By address, what asks a single node; of a Redis that is no cluster, this client itself."""
        return {"": self}

    def sound(self, answers: list[Any]) -> list[Any]:
        """Return answers of which none is an error.

        Raises:
            SinkUnavailable: One is an error that may pass.
            SinkRejected: One is a refusal.
        """
        for answer in answers:
            if isinstance(answer, Exception):
                with self._errors():
                    raise answer
        return answers

    def reason(self, error: Exception) -> str:
        """What an error says, for an operator."""
        if isinstance(error, exceptions.OutOfMemoryError):
            return f"Redis: {_FULL}"
        said = mask(str(error) or type(error).__name__, self._secrets)
        # Which of its files a context of TLS could not read, it does not say.
        named = f"; the url names {self._files}" if self._files and _OF_FILES.search(said) else ""
        return f"Redis: {said}{named}"

    async def close(self) -> None:
        """Let go of connections."""
        await self._redis.aclose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise SinkUnavailable("Redis: no answer") from None
        except exceptions.AuthenticationError as error:
            raise SinkRejected(self.reason(error)) from None
        except exceptions.AskError:  # of which MovedError is one
            raise SinkRejected("Redis: this is a node of a cluster; say cluster: true beside url") from None
        except exceptions.ResponseError as error:
            refused = isinstance(error, exceptions.NoPermissionError) or str(error).split(" ")[0] in _REFUSALS
            raise (SinkRejected if refused else SinkUnavailable)(self.reason(error)) from None
        except (exceptions.RedisError, OSError) as error:
            raise SinkUnavailable(self.reason(error)) from None


def _evalsha(script: Script, keys: Sequence[str], *arguments: Any) -> Command:
    return ("EVALSHA", script.digest, len(keys), *keys, *arguments)


def _as_it_is(response: Any, **kwargs: Any) -> Any:  # noqa: ARG001 - what the client calls it with
    return response
