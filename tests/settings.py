"""The project's settings with what a test run needs: a secret, and folders of its own."""

import os
import tempfile

os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "0" * 50)
os.environ.setdefault("HONMONO_VAR", tempfile.mkdtemp(prefix="honmono-tests-"))

from survey.settings import *  # noqa: F403
from survey.settings import DATABASES, VAR_DIR

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # In memory, threads would share one connection's locks; a file behaves like the real thing.
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
    # A test's data need not survive a power cut; tests/faults use the real settings.
    DATABASES["default"]["OPTIONS"] |= {"init_command": "PRAGMA synchronous=OFF;"}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
