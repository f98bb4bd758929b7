"""The url of a Redis: what it may have, said before a client is made of it.

The client itself takes any option and fails with it at its first connection, in words of its own.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from logweir.settings.tls import TlsConfig

__all__ = ["files_of", "problem_of", "problem_of_tls", "with_tls"]

#: Behind the host at most the number of a database: a path may be what follows a ``/`` in a password.
_URL = re.compile(r"rediss?://[^/?#\s]+(?:/\d*)?(?:[?#].*)?|unix://.+", re.DOTALL)
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
#: What each option may say; None is anything.
_VALUES: dict[str, tuple[str, ...] | None] = {
    "db": None,
    "username": None,
    "password": None,
    **dict.fromkeys(_FILES),
    "ssl_ciphers": None,
    "ssl_cert_reqs": ("none", "optional", "required"),
    "ssl_check_hostname": ("true", "false"),
}
#: What the client of a single Redis knows besides.
_OF_ONE: dict[str, tuple[str, ...] | None] = {"ssl_ca_path": None, "ssl_password": None}


def problem_of(url: str, *, cluster: bool = False) -> str | None:
    """Why a client cannot be made of a url; None if it can. The url's own values are not repeated."""
    if not _URL.fullmatch(url):
        return (
            "a url of Redis is redis://host:port/number, rediss://… or unix:///path; "
            "what a password has of / ? # @ is written %2F %3F %23 %40"
        )
    parts = urlsplit(url)
    if cluster and parts.scheme == "unix":
        return "cluster: true needs a host and a port: the nodes of a cluster are not at a socket"
    known = _VALUES if cluster else _VALUES | _OF_ONE
    options = parse_qsl(parts.query, keep_blank_values=True)
    if cluster and (parts.path.strip("/0") or dict(options).get("db", "0") != "0"):
        return "a cluster has the database 0 alone; leave the number out of url"
    for name, value in options:
        if problem := _problem_of_option(name, value, known, parts.scheme):
            return problem
    return None


def _problem_of_option(
    name: str, value: str, known: dict[str, tuple[str, ...] | None], scheme: str
) -> str | None:
    if name not in known:
        names = ", ".join(option for option in known if option.startswith("ssl_"))
        shown = name if re.fullmatch(r"[a-z_]{1,40}", name) else "what stands behind ?"
        return (
            f"{shown} is no option of a url of Redis; it may have db, username, password, and with "
            f"rediss:// {names}"
        )
    if name.startswith("ssl_") and scheme != "rediss":
        return f"{name} is for rediss://, which is Redis over TLS; the url begins with {scheme}://"
    allowed = known[name]
    if allowed and value.lower() not in allowed:
        return f"{name} is {', '.join(allowed[:-1])} or {allowed[-1]}"
    if name == "db" and not value.isdigit():
        return "db is the number of a database"
    return None


def problem_of_tls(url: str, tls: TlsConfig | None) -> str | None:
    """Why `tls` cannot be had with a url; None if it can."""
    if tls is None:
        return None
    if not url.startswith("rediss://"):
        return "tls is for rediss://, which is Redis over TLS"
    if any(name.startswith("ssl_") for name, _ in parse_qsl(urlsplit(url).query)):
        return "the url has options of TLS, and so has tls; keep one of them"
    return None


def with_tls(url: str, tls: TlsConfig | None) -> str:
    """Return the url with what `tls` says, in the words of the client."""
    if tls is None:
        return url
    files = zip(_FILES, (tls.ca, tls.certificate, tls.key), strict=True)
    options = {name: str(path) for name, path in files if path is not None}
    options["ssl_cert_reqs"] = "required" if tls.verify else "none"
    options["ssl_check_hostname"] = str(tls.verify is True).lower()
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode(options)) if part)
    return urlunsplit(parts._replace(query=query))


def files_of(url: str) -> str:
    """The files that a url names, for messages of a client that does not say which one it means."""
    options = dict(parse_qsl(urlsplit(url).query)) if url.startswith("rediss://") else {}
    return ", ".join(f"{name} {options[name]}" for name in _FILES if name in options)
