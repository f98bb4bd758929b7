"""Logins, logouts and failed logins as audit events."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import signals

from logweir.auditing.audit import audit_sync
from logweir.diagnostics import report
from logweir.errors import LogweirError
from logweir.process.threads import on_event_loop
from logweir.runtime import current as runtime

__all__ = ["audit_accounts"]


def audit_accounts() -> None:
    """Connect to the signals of ``django.contrib.auth``; idempotent."""
    for signal, receiver in (
        (signals.user_logged_in, _logged_in),
        (signals.user_logged_out, _logged_out),
        (signals.user_login_failed, _failed),
    ):
        signal.connect(receiver, dispatch_uid="logweir")


def _logged_in(request: Any = None, user: Any = None, **_others: Any) -> None:
    _audit("auth.login", "success", request, **_of(user))


def _logged_out(request: Any = None, user: Any = None, **_others: Any) -> None:
    if user is not None:  # somebody who was not logged in
        _audit("auth.logout", "success", request, **_of(user))


def _failed(credentials: Any = None, request: Any = None, **_others: Any) -> None:
    # Django has masked what is secret in them.
    _audit("auth.login", "failed", request, level="warning", credentials=dict(credentials or {}))


def _of(user: Any) -> dict[str, Any]:
    return {} if user is None else {"user_id": user.pk, "username": user.get_username()}


def _audit(action: str, status: str, request: Any, **fields: Any) -> None:
    """Audit it; ``audit.on_failure`` says whether the login fails without its record."""
    client = None if request is None else request.META.get("REMOTE_ADDR")
    if client:
        fields["client"] = client
    try:
        audit_sync(action, status=status, acknowledge="accepted" if on_event_loop() else None, **fields)
    except LogweirError as trouble:
        current = runtime.current()
        if current is not None and current.config.audit.on_failure == "raise":
            raise
        report(f"audit {action}", "a login or logout was not recorded as it should: %s", trouble)
