"""Django: its requests, commands and logins carry their trace, by its own test clients and in processes of its own."""

import asyncio
import io
import logging
import logging.config
import sys
import types
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import django
import pytest
import structlog
from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

import logweir
from logweir.event import Event
from logweir.testing.captured import Captured
from support.programs import run_program, stored

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "x-request-id": "r-17"}
log = structlog.get_logger()


def work(request: HttpRequest) -> HttpResponse:
    structlog.contextvars.clear_contextvars()
    log.info("view")
    logging.getLogger("shop").warning("by the standard library")
    return HttpResponse("done")


async def work_async(request: HttpRequest) -> HttpResponse:
    await asyncio.to_thread(log.info, "in a thread")
    log.info("view")
    return HttpResponse("done")


def fails(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("boom")


async def fails_async(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("boom")


def upload(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


def pieces() -> Iterator[bytes]:
    log.info("piece")
    yield b"piece"


async def pieces_async() -> AsyncIterator[bytes]:
    log.info("piece")
    yield b"piece"


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(pieces())


async def stream_async(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(pieces_async())


def log_in(request: HttpRequest) -> HttpResponse:
    user = authenticate(request, username="ada", password=request.GET["password"])
    if user is None:
        return HttpResponse("no", status=401)
    login(request, user)
    return HttpResponse("yes")


def log_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return HttpResponse("bye")


def urls() -> types.ModuleType:
    module = types.ModuleType("django_urls_of_the_tests")
    module.urlpatterns = [  # type: ignore[attr-defined]
        path(view.__name__, view)
        for view in (work, work_async, fails, fails_async, upload, stream, stream_async, log_in, log_out)
    ]
    return module


@pytest.fixture(scope="module", autouse=True)
def _django(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings.configure(
        SECRET_KEY="not secret",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="django_urls_of_the_tests",
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "logweir.integrations.django"],
        MIDDLEWARE=[
            "logweir.integrations.django.ContextMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": tmp_path_factory.mktemp("django") / "shop.db",
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        LOGGING_CONFIG=None,
        LOGWEIR={"start": False},
    )
    django.setup()
    assert logweir.current() is None
    sys.modules["django_urls_of_the_tests"] = urls()


@pytest.fixture(autouse=True)
def captured(logweir_capture: Captured) -> Captured:
    logweir.configure_structlog()
    return logweir_capture


def events(captured: Captured) -> dict[str, Event]:
    return {event.name: event for event in captured.events}


def assert_traced(answer: Any) -> None:
    assert answer["x-request-id"] == "r-17"
    assert answer["traceparent"].startswith(f"00-{TRACE}-")


def client(**options: Any) -> Any:
    from django.test import Client

    return Client(**options)


def async_client(**options: Any) -> Any:
    from django.test import AsyncClient

    return AsyncClient(**options)


def test_a_request_carries_its_trace_to_the_view_and_back(captured: Captured) -> None:
    assert_traced(client().get("/work", headers=HEADERS))
    log.info("after the request")
    found = events(captured)
    for name in ("view", "http.request"):
        event = found[name]
        assert (event.trace_id, event.fields["request_id"], event.fields["http_path"]) == (
            TRACE,
            "r-17",
            "/work",
        )
    assert found["http.request"].fields["http_status"] == 200
    assert found["after the request"].trace_id is None


async def test_an_asynchronous_request_carries_its_trace_to_the_view_and_back(captured: Captured) -> None:
    assert_traced(await async_client().get("/work_async", headers=HEADERS))
    log.info("after the request")
    found = await asyncio.to_thread(events, captured)
    assert {found[name].trace_id for name in ("view", "in a thread", "http.request")} == {TRACE}
    assert found["after the request"].trace_id is None


def logged_by_django() -> logging.Handler:
    """Take what Django logs, as a LOGGING setting does."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"logweir": {"class": "logweir.Handler"}},
            "loggers": {"django": {"handlers": ["logweir"], "level": "INFO"}},
        }
    )
    return logging.getLogger("django").handlers[0]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_view_that_fails_is_answered_and_logged_with_the_trace(captured: Captured, is_async: bool) -> None:
    handler = logged_by_django()
    try:
        if is_async:
            answer = asyncio.run(
                async_client(raise_request_exception=False).get("/fails_async", headers=HEADERS)
            )
        else:
            answer = client(raise_request_exception=False).get("/fails", headers=HEADERS)
    finally:
        logging.getLogger("django").removeHandler(handler)
    assert answer.status_code == 500
    assert_traced(answer)
    found = events(captured)
    record = next(event for name, event in found.items() if name.startswith("Internal Server Error"))
    assert (record.trace_id, record.fields["error_type"]) == (TRACE, "RuntimeError")
    access = found["http.request"]
    assert (access.level, access.fields["http_status"], access.fields["error_type"]) == (
        "error",
        500,
        "RuntimeError",
    )


def test_a_streamed_answer_is_made_within_the_trace(captured: Captured) -> None:
    assert client().get("/stream", headers=HEADERS).getvalue() == b"piece"
    assert events(captured)["piece"].trace_id == TRACE


async def test_an_asynchronously_streamed_answer_is_made_within_the_trace(captured: Captured) -> None:
    answer = await async_client().get("/stream_async", headers=HEADERS)
    assert [piece async for piece in answer] == [b"piece"]
    assert (await asyncio.to_thread(events, captured))["piece"].trace_id == TRACE


@pytest.fixture
def user() -> Iterator[Any]:
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    ada = User.objects.create_user("ada", password="lovelace")
    yield ada
    ada.delete()
    connection.close()


def test_logins_logouts_and_failed_logins_are_audited(captured: Captured, user: Any) -> None:
    browser = client()
    assert browser.get("/log_in?password=wrong", headers=HEADERS).status_code == 401
    assert browser.get("/log_in?password=lovelace", headers=HEADERS).status_code == 200
    browser.get("/log_out", headers=HEADERS)
    browser.get("/log_out", headers=HEADERS)
    audits = captured.audit
    assert [(event.name, event.fields["status"]) for event in audits] == [
        ("auth.login", "failed"),
        ("auth.login", "success"),
        ("auth.logout", "success"),
    ]
    assert [event.fields.get("user_id") for event in audits] == [None, user.pk, user.pk]
    assert audits[0].fields["credentials"]["username"] == "ada"
    assert {event.trace_id for event in audits} == {TRACE}
    assert "wrong" not in str(audits)
    assert "lovelace" not in str(audits)


class NoRequest:
    """What an application gives to `authenticate` in place of a request, such as the context of a GraphQL query."""


class ForeignUser:
    """A user of a directory, which is no model of Django's."""

    def save(self, **_options: Any) -> None:
        """Django writes the time of the login."""


@pytest.mark.usefixtures("user")  # and the tables for one
def test_a_login_without_a_request_of_djangos_is_audited_and_fails_nothing(captured: Captured) -> None:
    from django.contrib.auth import signals

    assert authenticate(NoRequest(), username="ada", password="wrong") is None
    signals.user_logged_in.send(sender=ForeignUser, request=NoRequest(), user=ForeignUser())
    signals.user_logged_out.send(sender=ForeignUser, request=None, user=ForeignUser())
    signals.user_login_failed.send(sender=__name__, credentials="ada", request=object())
    audits = captured.audit
    assert [(event.name, event.fields["status"]) for event in audits] == [
        ("auth.login", "failed"),
        ("auth.login", "success"),
        ("auth.logout", "success"),
        ("auth.login", "failed"),
    ]
    assert audits[0].fields["credentials"]["username"] == "ada"
    assert {"client", "username", "credentials"}.isdisjoint(audits[1].fields)


MANAGE = """
import logging
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["logweir.integrations.django", "shop"],
    LOGGING={
        "version": 1,
        "handlers": {"logweir": {"class": "logweir.Handler"}},
        "root": {"handlers": ["logweir"], "level": "INFO"},
    },
)
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "restock", "--number", "3"])
"""

RESTOCK = """
import logging
import structlog
from logweir.integrations.django import ContextCommand

class Command(ContextCommand):
    def add_arguments(self, parser):
        parser.add_argument("--number", type=int)

    def handle(self, *args, **options):
        structlog.get_logger().info("restocking", number=options["number"])
        logging.getLogger("shop").info("by the standard library")
"""


def test_a_management_command_has_a_trace_and_is_delivered_at_its_end(tmp_path: Path) -> None:
    commands = tmp_path / "shop" / "management" / "commands"
    commands.mkdir(parents=True)
    for folder in (tmp_path / "shop", tmp_path / "shop" / "management", commands):
        (folder / "__init__.py").touch()
    (commands / "restock.py").write_text(RESTOCK)
    status, _, errors = run_program(tmp_path, MANAGE)
    assert status == 0, errors
    found = {event.name: event for event in stored(tmp_path)}
    assert found.keys() == {"restocking", "by the standard library", "command.run"}
    assert {event.fields["command"] for event in found.values()} == {"restock"}
    (trace,) = {event.trace_id for event in found.values()}
    assert trace is not None


def test_an_upload_that_is_broken_off_is_no_error_of_the_application(captured: Captured) -> None:
    class Gone(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise OSError("the client is gone")

    answer = client(raise_request_exception=False).generic(
        "POST", "/upload", b"1234", **{"wsgi.input": Gone()}
    )
    assert answer.status_code == 500
    access = events(captured)["http.request"]
    assert (access.level, access.fields["client_disconnected"]) == ("warning", True)
    assert "error_type" not in access.fields
