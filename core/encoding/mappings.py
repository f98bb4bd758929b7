"""Mappings of every kind as entries: headers, cookies, requests, and what only behaves like a mapping.

Nothing here imports a framework: what a value is shows by its attributes. A request of an ASGI framework
would be its whole scope; what is kept of it is what an access log would say.
"""

from __future__ import annotations

from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

from logweir.encoding.parts import Entries, Labelled, first

__all__ = ["encode_cookies", "encode_mapping", "encode_row", "is_cookie_jar", "is_header_table", "is_row"]

_REQUESTS = frozenset({"http", "websocket"})
_MOST_PARAMETERS = 100
_LONGEST_QUERY = 8192
_SEVERAL = ("get_all", "getlist", "getall", "multi_items")


def is_header_table(kind: type) -> bool:
    """Whether a class is a table of headers, with several values for a name, and yet no mapping."""
    return all(hasattr(kind, name) for name in ("keys", "items", "__getitem__")) and any(
        hasattr(kind, name) for name in _SEVERAL
    )


def is_row(kind: type) -> bool:
    """Whether a class is a row of a database whose columns have names, as of ``sqlite3`` and SQLAlchemy."""
    named = hasattr(kind, "keys") and not hasattr(kind, "items") and hasattr(kind, "__getitem__")
    return named or (hasattr(kind, "_mapping") and hasattr(kind, "_fields"))


def encode_row(value: Any, limit: int) -> Entries:
    """Return the columns of a row by their names."""
    names = value.keys() if hasattr(value, "keys") else value._fields
    return Entries(islice(zip(names, value, strict=False), limit))


def is_cookie_jar(kind: type) -> bool:
    """Whether a class is a jar of cookies, as of ``http.cookiejar``."""
    return hasattr(kind, "set_cookie") and hasattr(kind, "extract_cookies")


def encode_cookies(value: Any, limit: int) -> Entries:
    """Return the cookies of a jar by their names; every value of a cookie is a cookie, whatever its name."""
    return Entries((cookie.name, Labelled(("cookie",), cookie.value)) for cookie in first(value, limit))


def encode_mapping(value: Any, limit: int) -> Any:
    """Return the entries of a mapping; of a request, what says which it is."""
    scope = getattr(value, "__dict__", {}).get("scope")
    if type(scope) is dict and scope.get("type") in _REQUESTS:
        return _request_of_scope(scope)
    if hasattr(type(value), "rel_url") and hasattr(type(value), "method"):  # aiohttp's
        return Entries([("method", value.method), ("path", str(value.rel_url)), ("client", value.remote)])
    return Entries((key, item) for key, item in first(value.items(), limit))


def _request_of_scope(scope: dict[str, Any]) -> Entries:
    """Method, path and client of an ASGI request.

    Where a route has parameters, it and they stand for the path: one of them may be a secret.
    """
    parameters = scope.get("path_params")
    route = getattr(scope.get("route"), "path", None)
    entries = Entries([("method", scope.get("method") or scope["type"])])
    if parameters:
        entries += [("path", route), ("path_params", parameters)]
    else:
        entries.append(("path", scope.get("path")))
    query = bytes(scope.get("query_string") or b"")[:_LONGEST_QUERY]
    if query:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)[:_MOST_PARAMETERS]
        entries.append(("query", Entries(pairs)))
    client = scope.get("client")
    entries.append(("client", client[0] if client else None))
    return entries
