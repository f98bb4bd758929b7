"""Objects that hold secrets: fields that are not to be shown, aliases, split URLs, requests."""

import sqlite3
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import urlparse, urlsplit

import msgspec
import pytest
from pydantic import AliasChoices, AliasPath, AnyUrl, BaseModel, Field
from sqlalchemy import create_engine, text

from logweir.capture.snapshot import Snapshotter
from logweir.redaction.redactor import Redactor

_snapshot = Snapshotter(Redactor())
_S = "hunter2-Zk9-marked"


def _stored(value):
    return _snapshot({"x": value})[0]["x"]


@dataclass
class Login:
    user: str
    answer: str = field(repr=False)


class Model(BaseModel):
    user: str
    answer: str = Field(repr=False)


class Struct(msgspec.Struct, rename="camel"):
    given: str = msgspec.field(name="apiKey")


def test_r6_what_an_author_keeps_out_of_the_repr_is_masked():
    assert _stored(Login("bob", _S)) == {"user": "bob", "answer": "***"}
    assert _stored(Model(user="bob", answer=_S)) == {"user": "bob", "answer": "***"}


def test_r6_attrs_fields_without_a_repr_are_masked_too():
    attrs = pytest.importorskip("attrs")
    kind = attrs.make_class("Login", {"user": attrs.field(), "answer": attrs.field(repr=False)})

    assert _stored(kind("bob", _S)) == {"user": "bob", "answer": "***"}


def test_r6_an_alias_that_names_a_secret_makes_the_field_secret():
    class Aliased(BaseModel):
        model_config: ClassVar = {"populate_by_name": True}
        one: str = Field(alias="apiKey")
        two: str = Field(validation_alias="password")
        three: str = Field(serialization_alias="access_token")
        four: str = Field(validation_alias=AliasChoices("x", AliasPath("body", "password")))
        five: str = Field(alias="colour")

    value = Aliased.model_validate({"apiKey": _S, "password": _S, "three": _S, "x": _S, "colour": "red"})

    assert _stored(value) == dict.fromkeys(("one", "two", "three", "four"), "***") | {"five": "red"}
    assert _stored(Struct(_S)) == {"given": "***"}


@pytest.mark.parametrize(
    "url",
    [urlsplit(f"http://u:{_S}@h/p"), urlparse(f"http://u:{_S}@h/p"), AnyUrl(f"http://u:{_S}@h/p")],
    ids=lambda url: type(url).__name__,
)
def test_r7_a_url_in_parts_is_stored_as_its_text(url):
    assert _stored(url) == "http://u:***@h/p"


@pytest.mark.parametrize("module", ["yarl", "httpx"])
def test_r7_urls_of_clients_are_stored_as_their_text(module):
    url = pytest.importorskip(module).URL(f"http://u:{_S}@h/p")

    assert _stored(url) == "http://u:***@h/p"


def test_r5_a_request_is_stored_as_what_says_which_it_is():
    requests = pytest.importorskip("starlette.requests")
    scope = {
        "type": "http",
        "method": "GET",
        "path": f"/reset/{_S}",
        "path_params": {"token": _S, "page": 2},
        "route": type("Route", (), {"path": "/reset/{token}/{page}"})(),
        "query_string": f"password={_S}&page=1".encode(),
        "headers": [(b"authorization", _S.encode())],
        "client": ("10.0.0.1", 1234),
        "app": object(),
    }

    assert _stored(requests.Request(scope)) == {
        "method": "GET",
        "path": "/reset/{token}/{page}",
        "path_params": {"token": "***", "page": 2},
        "query": {"password": "***", "page": "1"},
        "client": "10.0.0.1",
    }


def test_r2_rows_of_databases_are_stored_by_the_names_of_their_columns():
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    query = f"select 'bob' as name, '{_S}' as password"
    with connection, create_engine("sqlite://").connect() as engine:
        rows = [connection.execute(query).fetchone(), engine.execute(text(query)).one()]

        assert _stored(rows) == [{"name": "bob", "password": "***"}] * 2
    connection.close()
