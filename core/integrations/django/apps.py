"""The application that starts logweir with Django, in servers and management commands alike."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings

from logweir.integrations.django.accounts import audit_accounts
from logweir.runtime import current as runtime

__all__ = ["LogweirConfig"]


class LogweirConfig(AppConfig):  # type: ignore[misc]
    """Its options are the keys ``config``, ``start`` and ``audit_logins`` of ``settings.LOGWEIR``."""

    name = "logweir.integrations.django"
    label = "logweir"
    verbose_name = "logweir"

    def ready(self) -> None:
        """Start the runtime, unless one runs; it drains when the process ends."""
        options = getattr(settings, "LOGWEIR", {})
        if options.get("audit_logins", True):
            audit_accounts()
        if options.get("start", True) and runtime.current() is None:
            runtime.start(options.get("config", "routing.yaml"))
