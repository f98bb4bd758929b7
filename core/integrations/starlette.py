"""Starlette's answer to an error that nobody handled, which is made outside of all middleware.

Starlette and FastAPI put their ``ServerErrorMiddleware`` around everything that an application adds. What it
answers therefore passes no middleware, and what a handler of ``Exception`` logs is outside of the request.
Here the answer gets the headers of its request, and the handler its context. Nothing is imported: an
application that is not of this kind is left alone.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from logweir.context.binding import enter_unit, scope
from logweir.context.blocks import block
from logweir.context.identity import origin_of

__all__ = ["identify_answers"]

_MARK = "_logweir_identifies"
#: The methods of ServerErrorMiddleware that make an answer, each from the request and the error.
_MAKERS = ("handler", "error_response", "debug_response")
_MOST_LAYERS = 32


def identify_answers(app: Any) -> None:
    """See to it that the application's answers to unhandled errors carry their request's headers."""
    layer = getattr(app, "middleware_stack", None)
    for _ in range(_MOST_LAYERS):  # other tools put layers of their own around it
        if layer is None or hasattr(layer, _MARK):
            return
        if all(hasattr(layer, name) for name in _MAKERS):
            setattr(layer, _MARK, True)
            for name in _MAKERS:
                maker = getattr(layer, name)
                if maker is not None:
                    setattr(layer, name, _identified(maker))
            return
        layer = getattr(layer, "app", None)


def _identified(maker: Callable[[Any, Exception], Any]) -> Callable[[Any, Exception], Any]:
    """Wrap what makes an answer; a coroutine function stays one, for Starlette asks."""
    if inspect.iscoroutinefunction(maker) or inspect.iscoroutinefunction(getattr(maker, "__call__", None)):  # noqa: B004

        @functools.wraps(maker)
        async def make_async(request: Any, error: Exception) -> Any:
            with _within(error):
                return _with_headers(await maker(request, error), error)

        return make_async

    @functools.wraps(maker)
    def make(request: Any, error: Exception) -> Any:
        with _within(error):
            return _with_headers(maker(request, error), error)

    return make


@block
def _within(error: Exception) -> Iterator[None]:
    """The context of the request that the error has left."""
    origin = origin_of(error)
    with scope():
        if origin is not None:
            enter_unit(origin.trace, origin.values)
        yield


def _with_headers(response: Any, error: Exception) -> Any:
    origin = origin_of(error)
    for name, value in origin.headers if origin else ():
        response.headers.setdefault(name, value)
    return response
