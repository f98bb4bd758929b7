"""What masks a case: logweir as a black box, and its rivals as far as they are installed.

Each driver takes a case and returns what would be stored. The rivals get the rendering that a logger without any
redaction would have written (:func:`unmasked`).
"""

from __future__ import annotations

import logging
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import logweir
from corpora.cases import Logged
from logweir.integrations.stdlib import install_stdlib
from logweir.sinks.memory import MemorySink

__all__ = ["RIVALS", "Logweir", "Presidio", "Scrubadub", "Sentry", "unmasked"]

_ROUTING = """\
version: 1
service: corpora
sinks: {corpus: {type: memory}}
routes: [{name: all, to: [corpus]}]
"""

_SOURCE_OF_CALLS = "corpora"


class Logweir:
    """logweir with its defaults and one memory sink."""

    name = "logweir"

    def __init__(self) -> None:
        self._seen = set[str]()

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Logweir]:
        """Start logweir with its default configuration, in a folder of its own."""
        root = logging.getLogger()
        level, handlers = root.level, list(root.handlers)
        with tempfile.TemporaryDirectory() as folder:
            routing = Path(folder, "routing.yaml")
            routing.write_text(_ROUTING)
            logweir.configure_structlog()
            with logweir.running(str(routing)):
                install_stdlib("INFO")
                try:
                    yield cls()
                finally:
                    root.handlers[:] = handlers
                    root.setLevel(level)

    def store(self, logged: Logged) -> list[dict[str, Any]]:
        """Log this and return the events that the sink got: names and fields."""
        if logged.via == "audit":
            assert logged.call is not None
            logged.call(logweir.audit_log(str(logged.event)))
        elif logged.via == "stdlib":
            logging.getLogger(_SOURCE_OF_CALLS).info(logged.event, *logged.args, extra=dict(logged.fields))
        else:
            self._by_structlog(logged)
        logweir.flush()
        events = MemorySink.of("corpus").events
        new = [event for key, event in list(events.items()) if key not in self._seen]
        self._seen.update(event.id for event in new)
        return [{"event": event.name, "fields": dict(event.fields)} for event in new]

    @staticmethod
    def _by_structlog(logged: Logged) -> None:
        log = logweir.get_logger()
        if logged.error is not None:
            log.error(logged.event, *logged.args, exc_info=logged.error, **logged.fields)
        else:
            log.info(logged.event, *logged.args, **logged.fields)


def _plain(value: Any) -> Any:
    """Render a value as a naive logger does: JSON's own types, the text of everything else."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {_plain_key(key): _plain(inner) for key, inner in value.items()}
    if type(value) in {list, tuple, set}:
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode(errors="replace")
    return str(value)


def _plain_key(key: Any) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)


def unmasked(logged: Logged) -> dict[str, Any]:
    """Return what a logger without redaction stores: the message with its arguments, the fields, the traceback."""
    event = _plain(logged.event)
    if logged.args:
        args: Any = logged.args
        if len(args) == 1 and isinstance(args[0], Mapping):
            args = args[0]  # as the standard library does
        try:
            event = str(event) % args
        except TypeError:
            event = f"{event} {logged.args}"
    stored = {"event": event, "fields": _plain(logged.fields)}
    if logged.error is not None:
        stored["exception"] = "".join(traceback.format_exception(logged.error))
    return stored


class _Texts:
    """A rival that takes texts: each leaf is given to it as ``name: value``, as a line of a log would say it."""

    def store(self, logged: Logged) -> list[dict[str, Any]]:
        return [self._walk(unmasked(logged), "")]

    def _walk(self, value: Any, name: str) -> Any:
        if isinstance(value, dict):
            return {key: self._walk(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._walk(inner, name) for inner in value]
        if value is None or isinstance(value, bool):
            return value
        given = f"{name}: {value}"
        masked = self.clean(given)
        return value if masked == given else masked.removeprefix(f"{name}: ")

    def clean(self, text: str) -> str:
        raise NotImplementedError


class Sentry:
    """sentry-sdk's EventScrubber in its most thorough mode (``recursive=True``, with its list of personal data)."""

    name = "sentry-sdk EventScrubber"

    def __init__(self) -> None:
        self._scrubber = import_module("sentry_sdk.scrubber").EventScrubber(
            recursive=True, send_default_pii=False
        )
        self._annotated = import_module("sentry_sdk.utils").AnnotatedValue

    def store(self, logged: Logged) -> list[dict[str, Any]]:
        plain = unmasked(logged)
        event = {"logentry": {"message": plain["event"]}, "extra": plain["fields"]}
        if "exception" in plain:
            event["exception"] = {
                "values": [{"type": type(logged.error).__name__, "value": plain["exception"]}]
            }
        self._scrubber.scrub_event(event)
        return [self._shown(event)]

    def _shown(self, value: Any) -> Any:
        """Take out what stands for a filtered value; sentry's own serializer would cut what is deep or long, too."""
        if isinstance(value, self._annotated):
            return self._shown(value.value)
        if isinstance(value, dict):
            return {key: self._shown(inner) for key, inner in value.items()}
        return [self._shown(inner) for inner in value] if isinstance(value, list) else value


class Scrubadub(_Texts):
    """scrubadub with its default detectors."""

    name = "scrubadub"

    def __init__(self) -> None:
        self._scrubber = import_module("scrubadub").Scrubber()

    def clean(self, text: str) -> str:
        return str(self._scrubber.clean(text))


class Presidio(_Texts):
    """Presidio's pattern recognizers of English, without a language model, from a score of 0.4 on."""

    name = "Presidio patterns"
    _LEAST_SCORE = 0.4

    def __init__(self) -> None:
        analyzer = import_module("presidio_analyzer")
        registry = analyzer.RecognizerRegistry()
        registry.load_predefined_recognizers(languages=["en"])
        self._recognizers = [
            one for one in registry.recognizers if isinstance(one, analyzer.PatternRecognizer)
        ]

    def clean(self, text: str) -> str:
        found = [
            (result.start, result.end)
            for recognizer in self._recognizers
            for result in recognizer.analyze(text, recognizer.supported_entities, None)
            if result.score >= self._LEAST_SCORE
        ]
        for start, end in sorted(found, reverse=True):
            text = text[:start] + "*" * (end - start) + text[end:]
        return text


#: Optional: the runner goes on without them.
RIVALS = (Sentry, Scrubadub, Presidio)
