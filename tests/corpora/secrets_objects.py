"""Objects that carry secrets, exceptions and tracebacks, and the calls of a logger and of the audit decorator."""

from __future__ import annotations

import json
import subprocess
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import attrs
import httpx
import pydantic
import sqlalchemy.exc

from corpora.cases import Logged, Shape, lines
from corpora.values import Values

__all__ = ["shapes"]

_TRACES = r"""
error-sqlalchemy-parameters | SQLAlchemy: StatementError | (sqlite3.IntegrityError) UNIQUE constraint failed: users.email [SQL: INSERT INTO users (email, password) VALUES (?, ?)] [parameters: {'email': '«!email»', 'password': '«strong»'}]
error-pydantic-input | pydantic: ValidationError | 1 validation error for Login«n»password«n»  String should have at least 99 characters [type=string_too_short, input_value='«strong»', input_type=str]
error-pydantic-dict | pydantic: ValidationError of a whole model | email«n»  Field required [type=missing, input_value={'user': '«!user»', 'password': '«password»'}, input_type=dict]
error-key-error | a settings loader | KeyError: "no 'host' in {'password': '«strong»', 'user': '«!user»'}"
error-type-error | a wrong call | TypeError: login() got an unexpected keyword argument in {'api_key': '«token»'}
error-postgres-detail | PostgreSQL: unique violation | duplicate key value violates unique constraint "tokens_pk"«n»DETAIL:  Key (api_token)=(«opaque») already exists.
error-mysql-duplicate | MySQL: duplicate entry | (1062, "Duplicate entry '«githubclassic»' for key 'tokens.api_token'")
error-openai | openai: AuthenticationError | Error code: 401 - {'error': {'message': 'Incorrect API key provided: «openaiproject». You can find your API key in your account.'}}
error-botocore | botocore: SignatureDoesNotMatch's request | <AWSPreparedRequest method=GET, url=https://«!host»/, headers={'X-Amz-Security-Token': '«awssession»'}>
error-stripe | stripe: AuthenticationError | Invalid API Key provided: «stripe»
error-requests-url | requests: ConnectionError | HTTPSConnectionPool(host='«!host»', port=443): Max retries exceeded with url: /v1/x?api_key=«token» (Caused by NewConnectionError('x'))
error-traceback-source | a traceback that shows its source | File "app.py", line 12, in <module>«n»    client = Client("«!host»", password="«strong»")«n»ConnectionError: refused
error-traceback-locals | rich and structlog: locals in a traceback | locals: password = '«password»'«n»        user = '«!user»'
error-java-trace | a Java stack trace | Caused by: java.sql.SQLException: Access denied (user=«!user», password=«strong»)«n»  at com.example.Db.open(Db.java:12)
error-quoted-log | another program's line in ours | child said: 2031-03-12 10:11:12,123 INFO app login user=«!user» password=«password»
error-jwt-decode | PyJWT's callers | could not decode eyJ: «jwt»
repr-secret-field | a dataclass's repr in a text | started with Settings(host='«!host»', api_key='«token»', debug=False)
repr-split-result | urllib.parse: SplitResult | SplitResult(scheme='https', netloc='«user»:«password»@«!host»', path='/', query='', fragment='')
repr-parse-query | urllib.parse: SplitResult | SplitResult(scheme='https', netloc='«!host»', path='/cb', query='token=«opaque»&a=1', fragment='')
repr-namespace | argparse.Namespace | Namespace(host='«!host»', password='«strong»', verbose=True)
repr-boto-credentials | botocore's credentials | ReadOnlyCredentials(access_key='«akia»', secret_key='«awssecret»', token=None)
"""


@dataclass
class _Account:
    user: str
    password: str


@dataclass
class _Quiet:
    host: str
    password: str = field(repr=False)


@dataclass(slots=True)
class _Slotted:
    host: str
    api_key: str


@attrs.define
class _Defined:
    user: str
    secret: str


class _Model(pydantic.BaseModel):
    user: str
    api_token: str = pydantic.Field(alias="apiToken")


class _Secretive(pydantic.BaseModel):
    user: str
    password: pydantic.SecretStr


class _Login(pydantic.BaseModel):
    password: int


class _Plain:
    def __init__(self, user: str, password: str) -> None:
        self.user, self.password = user, password

    def __repr__(self) -> str:
        return f"<Plain user={self.user} password={self.password}>"


_Pair = namedtuple("_Pair", "user password")  # noqa: PYI024 - as older programs write it

Builder = Callable[[Values], Logged]
_BUILT: dict[str, tuple[str, Builder]] = {}


def _shape(name: str, source: str) -> Callable[[Builder], Builder]:
    def keep(build: Builder) -> Builder:
        _BUILT[name] = source, build
        return build

    return keep


def _object(name: str, source: str, make: Callable[[Values], Any], *, hidden: bool = False) -> None:
    _shape(name, source)(
        lambda values: Logged(event="object.seen", fields={"object": make(values)}, hidden=hidden)
    )
    _shape(f"{name}-in-list", source)(
        lambda values: Logged(event="objects.seen", fields={"objects": [1, make(values)]}, hidden=hidden)
    )


_object("object-dataclass", "dataclasses", lambda v: _Account(v("user", keep=True), v("strong")))
_object(
    "object-dataclass-quiet",
    "dataclasses: field(repr=False)",
    lambda v: _Quiet(v("host"), v("strong")),
    hidden=True,
)
_object("object-dataclass-slots", "dataclasses: slots", lambda v: _Slotted(v("host", keep=True), v("token")))
_object("object-attrs", "attrs", lambda v: _Defined(v("user", keep=True), v("token")))
_object("object-pydantic-alias", "pydantic: an alias", lambda v: _Model(user=v("user"), apiToken=v("opaque")))
_object(
    "object-pydantic-secret",
    "pydantic: SecretStr",
    lambda v: _Secretive(user=v("user"), password=v("strong")),
    hidden=True,
)
_object("object-own-repr", "an old class", lambda v: _Plain(v("user", keep=True), v("password")))
_object("object-namedtuple", "collections.namedtuple", lambda v: _Pair(v("user"), v("strong")))
_object(
    "object-namespace",
    "types.SimpleNamespace",
    lambda v: SimpleNamespace(user=v("user"), password=v("strong")),
)
_object(
    "object-ordered", "collections.OrderedDict", lambda v: OrderedDict(user=v("user"), password=v("strong"))
)
_object(
    "object-defaultdict", "collections.defaultdict", lambda v: defaultdict(list, {"tokens": [v("token")]})
)
_object("object-deque", "collections.deque", lambda v: deque([{"password": v("strong")}]))
_object("object-set", "a set", lambda v: {f"password={v('password')}"})
_object(
    "object-split-result",
    "urllib.parse.urlsplit",
    lambda v: urlsplit(v.fill("https://«user»:«password»@«!host»/x")),
)
_object("object-bytes", "a body in bytes", lambda v: v.fill("bytes:user=«user»&password=«password»"))
_object("object-bytearray", "a buffer", lambda v: bytearray(v.fill('bytes:{"api_key": "«token»"}')))
_object(
    "object-exception",
    "an exception as a field",
    lambda v: ValueError(v.fill("bad url postgres://«user»:«password»@«host»/x")),
)
_object("object-httpx-url", "httpx.URL", lambda v: httpx.URL(v.fill("https://«host»/x?token=«opaque»")))
_object(
    "object-int-password", "a password of digits, read as a number", lambda v: {"password": int(v("numeric"))}
)
_object(
    "object-json-text",
    "json.dumps",
    lambda v: json.dumps({"user": v("user"), "password": v("quoted", encoding="")}),
)


def _raised(error: BaseException, message: str = "work.failed") -> Logged:
    try:
        raise error
    except type(error) as caught:
        return Logged(event=message, error=caught)


@_shape("raised-value-error", "log.exception with a text of its own")
def _value_error(values: Values) -> Logged:
    return _raised(ValueError(values.fill("cannot parse mysql://«user»:«password»@«!host»/x")))


@_shape("raised-key-error", "log.exception of a lookup")
def _key_error(values: Values) -> Logged:
    return _raised(KeyError(values.fill("host missing in {'password': '«password»'}")))


@_shape("raised-with-dict", "an exception with a dict as argument")
def _with_dict(values: Values) -> Logged:
    return _raised(RuntimeError("login failed", values.fill({"user": "«!user»", "password": "«strong»"})))


@_shape("raised-called-process", "subprocess.CalledProcessError")
def _called(values: Values) -> Logged:
    return _raised(
        subprocess.CalledProcessError(1, values.fill(["backup", "--password", "«password»", "«!host»"]))
    )


@_shape("raised-sqlalchemy", "SQLAlchemy: IntegrityError with named parameters")
def _integrity(values: Values) -> Logged:
    parameters = values.fill({"email": "«email»", "password": "«strong»"})
    statement = "INSERT INTO users (email, password) VALUES (:email, :password)"
    return _raised(
        sqlalchemy.exc.IntegrityError(statement, parameters, Exception("UNIQUE constraint failed"))
    )


@_shape("raised-pydantic", "pydantic: ValidationError of a password")
def _validation(values: Values) -> Logged:
    try:
        _Login(password=values("word"))  # type: ignore[arg-type]
    except pydantic.ValidationError as error:
        return _raised(error)
    raise AssertionError


@_shape("raised-http-status", "httpx: HTTPStatusError")
def _status(values: Values) -> Logged:
    request = httpx.Request("GET", values.fill("https://«!host»/v1?access_token=«opaque»"))
    try:
        httpx.Response(403, request=request).raise_for_status()
    except httpx.HTTPStatusError as error:
        return _raised(error)
    raise AssertionError


@_shape("raised-chained", "an exception whose cause shows the secret")
def _chained(values: Values) -> Logged:
    try:
        try:
            raise ConnectionError(values.fill("Authorization: Bearer «opaque» was refused"))
        except ConnectionError as cause:
            raise RuntimeError("sync failed") from cause
    except RuntimeError as error:
        return Logged(event="sync.failed", error=error)


@_shape("raised-group", "asyncio.TaskGroup's exception group")
def _group(values: Values) -> Logged:
    return _raised(
        ExceptionGroup("2 failed", [ValueError(values.fill("password=«password»")), OSError("disk")])
    )


@_shape("raised-note", "PEP 678's notes")
def _note(values: Values) -> Logged:
    error = ValueError("bad request")
    error.add_note(values.fill("headers: {'Authorization': 'Bearer «opaque»'}"))
    return _raised(error)


def _call(name: str, source: str, event: Any, *args: Any, via: Any = "stdlib", **fields: Any) -> None:
    _shape(name, source)(lambda v: Logged(v.fill(event), v.fill(args), v.fill(fields), via))


_call("call-dict-argument", "logging with a dict", "login %s", {"user": "«!user»", "password": "«strong»"})
_call(
    "call-dict-argument-structlog",
    "structlog's positional arguments",
    "login %s",
    {"user": "«!user»", "password": "«strong»"},
    via="structlog",
)
_call(
    "call-named-arguments",
    "logging with named places",
    "login of %(user)s with password %(password)s",
    {"user": "«!user»", "password": "«password»"},
)
_call(
    "call-password-argument",
    "logging with the secret as an argument",
    "password=%s for %s",
    "«strong»",
    "«!user»",
)
_call("call-token-argument", "logging with the secret as an argument", "token: %r", "«opaque»")
_call(
    "call-url-argument",
    "logging with an address",
    "connecting to %s (%d)",
    "amqp://«user»:«password»@«!host»",
    3,
)
_call("call-bearer-argument", "logging with a header", "sending Authorization: Bearer %s", "«opaque»")
_call("call-list-argument", "logging with an argv", "running %r", ["tool", "--token", "«token»", "«!host»"])
_call("call-args-do-not-fit", "a message without places", "login done", "«!user»", {"password": "«strong»"})
_call(
    "call-event-is-dict",
    "a dict as the event",
    {"action": "login", "user": "«!user»", "password": "«strong»"},
)
_call(
    "call-event-is-dict-structlog",
    "a dict as the event",
    {"action": "login", "api_key": "«token»"},
    via="structlog",
)
_call("call-event-is-list", "a list as the event", ["--password", "«password»"])
_call("call-event-is-bytes", "bytes as the event", "bytes:AUTH password=«password»")
_call("call-extra", "logging's extra", "login", password="«strong»", user="«!user»")
_call(
    "call-extra-dict", "logging's extra", "login", request={"headers": {"Authorization": "Bearer «opaque»"}}
)


def _audit(name: str, source: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    def build(values: Values) -> Logged:
        given, named = values.fill(args), values.fill(kwargs)

        def call(decorate: Callable[..., Any]) -> None:
            try:
                decorate(function)(*given, **named)
            except (TypeError, ValueError):
                return

        return Logged(event="audited.call", via="audit", call=call)

    _shape(name, source)(build)


def _log_in(user: str, password: str) -> None: ...


def _rotate(*, api_key: str, owner: str = "") -> None: ...


def _many(user: str, *rest: Any, **more: Any) -> None: ...


def _refuse(user: str, password: str) -> None:
    raise ValueError(f"no such user {user} with password={password}")


def _update(user: str, changes: dict[str, Any]) -> None: ...


_audit("audit-positional", "a call that fits", _log_in, "«!user»", "«strong»")
_audit("audit-keyword", "a call that fits", _log_in, user="«!user»", password="«strong»")
_audit("audit-keyword-only", "a call that fits", _rotate, api_key="«token»")
_audit("audit-too-many", "a call with one argument too many", _log_in, "«user»", "«strong»", True)
_audit("audit-unknown-keyword", "a call with a wrong name", _log_in, "«user»", passwd="«strong»")
_audit("audit-positional-for-keyword-only", "a call that does not fit", _rotate, "«token»")
_audit("audit-more-keywords", "arguments that are taken by **", _many, "«!user»", client_secret="«token»")
_audit("audit-rest-url", "arguments that are taken by *", _many, "«!user»", "redis://:«password»@«!host»/0")
_audit("audit-raises", "a function that shows its arguments", _refuse, "«!user»", "«strong»")
_audit(
    "audit-dict",
    "an argument that is a dict",
    _update,
    "«!user»",
    {"email": "a@b.example", "password": "«strong»"},
)
_audit("audit-object", "an argument that is a list", _update, "«!user»", {"tokens": ["«token»"]})


_HARD = r"""
hard-prose | a person's ticket | hi, my password is «word» and it does not work
hard-prose-german | a person's ticket | das Passwort lautet «word», danke
hard-prose-login | a person's ticket | just log in as «user» / «word»
hard-bare | a secret with nothing beside it | «password»
"""


def shapes() -> Iterator[Shape]:
    """Yield the shapes of objects, errors and calls."""
    yield from lines("errors", _TRACES)
    for name, (source, build) in _BUILT.items():
        yield Shape(
            name, "errors" if name.startswith("raised") else name.partition("-")[0] + "s", source, build
        )
    yield from lines("hard", _HARD)
