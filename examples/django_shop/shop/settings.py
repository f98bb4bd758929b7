"""Settings of the shop; the four that have to do with logweir come last."""

import secrets
from pathlib import Path

import logweir

BASE_DIR = Path(__file__).parents[1]
SECRET_KEY = secrets.token_hex()  # an example has no sessions to keep
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "shop.db"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "logweir.integrations.django", "shop"]
MIDDLEWARE = ["logweir.integrations.django.ContextMiddleware"]  # first: all others are inside
LOGWEIR = {"config": BASE_DIR / "routing.yaml"}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"logweir": {"class": "logweir.Handler"}},
    "root": {"handlers": ["logweir"], "level": "INFO"},
}
logweir.configure_structlog()
