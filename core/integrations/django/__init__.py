"""Django: requests and management commands carry a trace, and logins are audited.

::

    INSTALLED_APPS = [..., "logweir.integrations.django"]  # starts logweir, and audits logins
    MIDDLEWARE = ["logweir.integrations.django.ContextMiddleware", ...]
    LOGWEIR = {"config": BASE_DIR / "routing.yaml"}
"""

from __future__ import annotations

from logweir.errors import MissingDependency

try:
    import django  # noqa: F401
except ModuleNotFoundError:  # pragma: no cover - reported to whoever imports this
    raise MissingDependency("logweir.integrations.django", "django") from None

from logweir.integrations.django.commands import ContextCommand
from logweir.integrations.django.middleware import ContextMiddleware

__all__ = ["ContextCommand", "ContextMiddleware"]
