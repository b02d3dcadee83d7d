"""One settings module; every value that differs between machines comes from the environment.

The README tabulates the variables. `manage.py demo` writes its own to `var/` and uses no others.
"""

import os
import sys
from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("HONMONO_VAR", BASE_DIR / "var"))


def flag(name: str, default: bool = False) -> bool:
    """A yes-or-no variable of the environment."""
    value = os.environ.get(name, "").strip().lower()
    if value in {"", "1", "true", "yes", "on", "0", "false", "no", "off"}:
        return default if not value else value in {"1", "true", "yes", "on"}
    raise ImproperlyConfigured(f"{name} is {value!r}; allowed are true and false.")


def words(name: str) -> list[str]:
    """A comma-separated variable of the environment."""
    return [word.strip() for word in os.environ.get(name, "").split(",") if word.strip()]


DEBUG = flag("DEBUG")
SECRET_KEY = os.environ.get("SECRET_KEY", "")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured(
            "SECRET_KEY is missing. Make one with "
            '`python -c "import secrets; print(secrets.token_urlsafe(50))"` '
            "and put it into the environment. `manage.py demo` makes its own."
        )
    SECRET_KEY = "only-for-debugging-" + "0" * 40

ALLOWED_HOSTS = words("ALLOWED_HOSTS") or ["localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = words("CSRF_TRUSTED_ORIGINS")

# Addresses of the proxy in front. From it alone X-Forwarded-For and -Proto are believed.
TRUSTED_PROXY = words("TRUSTED_PROXY")
# Starts an hour from one address, counted only behind a named proxy. A whole class may sit
# behind one address.
STARTS_PER_HOUR = int(os.environ.get("STARTS_PER_HOUR", "300"))

# 32 random bytes in base64. With it, backups are encrypted.
BACKUP_KEY = os.environ.get("BACKUP_KEY", "")

INSTALLED_APPS = [
    "survey.apps.HonmonoAdmin",
    "survey.apps.AccountsConfig",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "auditlog",
    "survey.apps.SignInConfig",
    "csp",
    "django_otp",
    "survey.apps.SecondStepConfig",
    "django_tasks",
    "survey.apps.BackgroundConfig",
    "survey.apps.SurveyConfig",
]

MIDDLEWARE = [
    "survey.proxy.trusted_proxy",
    "survey.shortpath.short_path",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "survey.policy.trusted_types",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "survey.urls"
WSGI_APPLICATION = "survey.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# SQLite: writers queue up (IMMEDIATE and a busy timeout) and every commit is on the disk before
# it is acknowledged (FULL). NORMAL lost acknowledged responses in simulated power cuts.
SQLITE_OPTIONS: dict[str, Any] = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
    "PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON;",
}


# PostgreSQL: without a threshold `survey.prepared` cannot prepare. A machine that is gone without a
# word is noticed within half a minute or a minute, so that responses do not wait for it for ever.
POSTGRES_OPTIONS: dict[str, Any] = {
    "prepare_threshold": 5,
    "tcp_user_timeout": 30_000,  # ms
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}


def database() -> dict[str, Any]:
    """The database that DATABASE_URL names, SQLite in `var/` by default."""
    url = os.environ.get("DATABASE_URL") or f"sqlite:///{VAR_DIR / 'honmono.sqlite3'}"
    # Connections are kept, and looked at when a request first uses one; `survey.prepared` does so
    # by itself, without a statement of its own.
    kept = dj_database_url.parse(url, conn_max_age=600, conn_health_checks=True)
    config: dict[str, Any] = dict(kept)
    if config["ENGINE"].endswith("sqlite3"):
        config["OPTIONS"] = {**config.get("OPTIONS", {}), **SQLITE_OPTIONS}
    elif config["ENGINE"].endswith("postgresql"):
        config["OPTIONS"] = {**POSTGRES_OPTIONS, **config.get("OPTIONS", {})}
    return config


DATABASES = {"default": database()}

# The server turns this on, see `survey.committing`.
SHARED_COMMITS = flag("SHARED_COMMITS")
# Reports and simulations wait in the database; `manage.py serve` runs the worker for them.
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]

# In a closed lab, where nobody else reaches the server, a password is enough. Everywhere else
# those who see responses also need a code from an app (TOTP).
CLOSED_LAB = flag("CLOSED_LAB")
OTP_TOTP_ISSUER = "Honmono"
OTP_ADMIN_HIDE_SENSITIVE_DATA = True

# Guessing: five wrong passwords for a name or from an address, then a break.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "survey.views.locked_out"
AXES_VERBOSE = False

# Whoever leaves the desk is signed out.
SESSION_COOKIE_AGE = 4 * 60 * 60
SESSION_SAVE_EVERY_REQUEST = True
SESSION_EXPIRE_AT_BROWSER_CLOSE = True

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ja", _("Japanese"))]
LOCALE_PATHS = [BASE_DIR / "survey" / "locale"]
LANGUAGE_COOKIE_SAMESITE = "Lax"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
# Only needed where a server in front serves the static files (`manage.py collectstatic`).
STATIC_ROOT = os.environ.get("STATIC_ROOT")
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
MEDIA_ROOT = Path(os.environ.get("MEDIA_ROOT", VAR_DIR / "media"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Where browsers get the images; by default from this server, or the one in front of it.
IMAGES_URL = os.environ.get("IMAGES_URL", "")
# An S3-compatible store that gets a copy of every served image (extra `s3`).
if bucket := os.environ.get("STORAGE_S3_BUCKET"):
    STORAGES["stimuli"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": bucket,
            "endpoint_url": os.environ.get("STORAGE_S3_ENDPOINT"),
            "region_name": os.environ.get("STORAGE_S3_REGION"),
            "access_key": os.environ.get("STORAGE_S3_ACCESS_KEY"),
            "secret_key": os.environ.get("STORAGE_S3_SECRET_KEY"),
            "location": os.environ.get("STORAGE_S3_PREFIX", ""),
            "querystring_auth": False,
            "object_parameters": {
                "CacheControl": "public, max-age=31536000, immutable",
                "ContentType": "image/jpeg",
            },
        },
    }

# What an uploaded image may cost before it is refused.
STIMULUS_MAX_BYTES = int(os.environ.get("STIMULUS_MAX_BYTES", "50_000_000"))
STIMULUS_MAX_PIXELS = int(os.environ.get("STIMULUS_MAX_PIXELS", "120_000_000"))
# Many images at once; more come as a ZIP.
DATA_UPLOAD_MAX_NUMBER_FILES = 2000
STIMULUS_MAX_SECONDS = float(os.environ.get("STIMULUS_MAX_SECONDS", "20"))


SECURE = flag("SECURE_COOKIES", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = True
if SECURE:
    # The prefix makes browsers refuse such a cookie from a neighbouring host name.
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
    LANGUAGE_COOKIE_NAME = "__Host-language"
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
# Only a named proxy can say that a visitor came by HTTPS (survey.proxy drops the header of others).
SECURE_SSL_REDIRECT = SECURE and bool(TRUSTED_PROXY)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXY else None
SECURE_REDIRECT_EXEMPT = [r"^health/"]
# To be on the browsers' preload list is for the owner of the whole domain to decide.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
SECURE_CONTENT_TYPE_NOSNIFF = True
# The private link must not travel on in a Referer header, not even to our own pages' images.
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "survey.views.csrf_failure"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, *([IMAGES_URL] if IMAGES_URL else [])],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"()": "survey.logs.Plain"},
        "lines": {"()": "survey.logs.Lines"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "plain" if sys.stderr.isatty() else "lines",
        }
    },
    "root": {"handlers": ["console"], "level": os.environ.get("LOG_LEVEL", "WARNING")},
    "loggers": {
        # Django's own handlers would print a private link; ours removes it.
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        # Names and addresses of those who sign in are in the database, for those who may see them.
        "axes": {"level": "ERROR"},
        "survey": {"level": "INFO"},
    },
}
