"""The project's settings with what a test run needs: a secret, and folders of its own."""

import os
import tempfile

os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "0" * 50)
os.environ.setdefault("HONMONO_VAR", tempfile.mkdtemp(prefix="honmono-tests-"))

from survey.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
