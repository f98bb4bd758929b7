"""Logins, logouts and failed logins as audit events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from django.contrib.auth import signals

from logweir.auditing.audit import audit_sync
from logweir.delivery.receipts import AckLevel
from logweir.diagnostics import report
from logweir.errors import LogweirError
from logweir.process.threads import on_event_loop
from logweir.runtime import current as runtime

__all__ = ["audit_accounts"]

_Questions = Mapping[str, Callable[[], Any]]


def audit_accounts() -> None:
    """Connect to the signals of ``django.contrib.auth``; idempotent."""
    for signal, receiver in (
        (signals.user_logged_in, _logged_in),
        (signals.user_logged_out, _logged_out),
        (signals.user_login_failed, _failed),
    ):
        signal.connect(receiver, dispatch_uid="logweir")


def _logged_in(request: Any = None, user: Any = None, **_others: Any) -> None:
    _audit("auth.login", "success", request, _of(user))


def _logged_out(request: Any = None, user: Any = None, **_others: Any) -> None:
    if user is not None:  # somebody who was not logged in
        _audit("auth.logout", "success", request, _of(user))


def _failed(credentials: Any = None, request: Any = None, **_others: Any) -> None:
    # Django has masked what is secret in them.
    said = {"credentials": lambda: dict(credentials or {})}
    _audit("auth.login", "failed", request, said, level="warning")


def _of(user: Any) -> _Questions:
    if user is None:
        return {}
    return {
        "user_id": lambda: user.pk,
        "username": lambda: user.get_username(),  # noqa: PLW0108 - the method may be missing
    }


def _audit(action: str, status: str, request: Any, said: _Questions, level: str = "info") -> None:
    """Audit it; ``audit.on_failure`` says whether the login fails without its record."""
    fields = _answers({**said, "client": lambda: request.META.get("REMOTE_ADDR") or None})
    try:
        acknowledge: AckLevel | None = "accepted" if on_event_loop() else None
        audit_sync(action, status=status, level=level, acknowledge=acknowledge, **fields)
    except LogweirError as trouble:
        current = runtime.current()
        if current is not None and current.config.audit.on_failure == "raise":
            raise
        report(f"audit {action}", "a login or logout was not recorded as it should: %s", trouble)


def _answers(questions: _Questions) -> dict[str, Any]:
    """What there is an answer to: who logs in may be no user of Django's, nor by a request of Django's."""
    answers = {}
    for name, question in questions.items():
        with suppress(Exception):
            answers[name] = question()
    return {name: answer for name, answer in answers.items() if answer is not None}
