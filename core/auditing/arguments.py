"""What a call is about: its arguments by name, who makes it and what it is done to. Pure."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from logweir.diagnostics import report

__all__ = ["Finder", "Parameters", "ask", "find"]

#: Where a value is found, by the (dotted) name of an argument, or a function of the arguments by name.
Finder = str | Callable[[Mapping[str, Any]], Any]

_BY_POSITION = frozenset({inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD})
_RECEIVERS = frozenset({"self", "cls", "mcs"})


@dataclass(frozen=True, slots=True)
class Parameters:
    """How the arguments of one callable are named.

    Attributes:
        signature: Its signature; None for the few built-ins which have none.
        receiver: The name of the first parameter, if it is ``self`` or ``cls``.
    """

    signature: inspect.Signature | None
    receiver: str | None

    @classmethod
    def of(cls, target: Callable[..., Any], *, has_receiver: bool) -> Parameters:
        """Read the parameters of a callable.

        Args:
            target: The callable.
            has_receiver: Whether its first parameter is the class, whatever its name (a ``classmethod``).
        """
        try:
            signature = inspect.signature(target)
        except (TypeError, ValueError):
            return cls(None, None)
        first = next(iter(signature.parameters), None)
        return cls(signature, first if has_receiver or first in _RECEIVERS else None)

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by name, with defaults, without ``self``; as far as it goes if they do not fit."""
        if self.signature is None:
            return {"args": args, "kwargs": kwargs}
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError:  # the call is about to fail with a better message
            return self._as_far(self.signature, args, kwargs)
        bound.apply_defaults()
        if self.receiver is not None:
            bound.arguments.pop(self.receiver, None)
        return bound.arguments

    def _as_far(
        self, signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Name the arguments of a call that does not fit, as far as that goes.

        Only its name says that an argument is secret. So of those that no parameter takes by position there
        is only the type, under ``args``.
        """
        takers = [name for name, parameter in signature.parameters.items() if parameter.kind in _BY_POSITION]
        named = dict(zip(takers, args, strict=False))
        named.pop(self.receiver or "", None)
        named.update(kwargs)
        if len(args) > len(takers):
            named["args"] = [f"<{type(value).__qualname__}>" for value in args[len(takers) :]]
        return named

    def require(self, name: str, option: str) -> None:
        """Refuse a name that no argument has, when the function is decorated.

        Raises:
            ValueError: There is no such argument.
        """
        if self.signature is None:
            return
        known = [known for known in self.signature.parameters if known != self.receiver]
        if name not in known:
            raise ValueError(
                f"{option}={name!r} names no argument; the arguments are: {', '.join(known) or 'none'}"
            )

    def require_finder(self, finder: Finder | None, option: str) -> None:
        """Refuse the name of an argument that does not exist.

        Raises:
            ValueError: It does not exist.
        """
        if isinstance(finder, str):
            self.require(finder.partition(".")[0], option)


def find(finder: Finder | None, arguments: Mapping[str, Any], option: str) -> Any:
    """Find a value among the arguments; None, and a report, where looking for it fails."""
    if finder is None:
        return None
    return ask(option, lambda: _follow(finder, arguments) if isinstance(finder, str) else finder(arguments))


def ask(option: str, question: Callable[[], Any]) -> Any:
    """Return the answer of the application's own code; None, and a report, where it raises."""
    try:
        return question()
    except Exception as error:  # noqa: BLE001 - the call must go on
        report(
            f"audit {option}", "cannot find the %s of an audited call: %s", option, type(error).__qualname__
        )
        return None


def _follow(path: str, arguments: Mapping[str, Any]) -> Any:
    value: Any = arguments
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, part, None)
    return value
