"""The settings of production, as the environment makes them, in a process of its own."""

import json
import os
import subprocess
import sys

import pytest

PRODUCTION = {
    "SECRET_KEY": "".join(chr(ord("A") + n % 26) for n in range(60)),
    "ALLOWED_HOSTS": "survey.example.org",
    "CSRF_TRUSTED_ORIGINS": "https://survey.example.org",
    "SECURE_COOKIES": "true",
    "TRUSTED_PROXY": "127.0.0.1",
}

ASK = """
import json, django
django.setup()
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
client = Client(headers={"host": "survey.example.org"})
proxied = {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}
signs_in = client.get("/admin/login/", **proxied)
changes = client.get("/language/ja", **proxied)
direct = client.get("/", REMOTE_ADDR="198.51.100.7", **proxied)
cookies = {**signs_in.cookies, **changes.cookies}
print(json.dumps({
    "status": signs_in.status_code,
    "headers": dict(signs_in.headers),
    "policy": client.get("/", **proxied).headers["Content-Security-Policy"],
    "cookies": {name: [m["secure"], m["path"], m["domain"]] for name, m in cookies.items()},
    "plain": [client.get("/").status_code, client.get("/").headers.get("Location")],
    "direct": direct.status_code,
    "health": client.get("/health/live").status_code,
}))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "DEBUG"}}
    folder = str(tmp_path_factory.mktemp("var"))
    module = {"DJANGO_SETTINGS_MODULE": "survey.settings", "HONMONO_VAR": folder}
    return clean | module | PRODUCTION


@pytest.fixture(scope="module")
def told(environment) -> dict:
    command = [sys.executable, "-c", ASK]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_check_for_deployment_warns_of_nothing(environment):
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_cookies_belong_to_this_host_only(told):
    names = {"__Host-csrftoken", "__Host-language"}

    assert told["cookies"] == {name: [True, "/", ""] for name in names}


def test_headers_are_strict(told):
    assert told["status"] == 200
    headers = told["headers"]
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_policy_allows_our_own_files_only_and_demands_trusted_types(told):
    directives = dict(part.strip().split(" ", 1) for part in told["policy"].split(";"))

    assert directives == {
        "default-src": "'none'",
        **dict.fromkeys(("script-src", "style-src", "img-src", "font-src"), "'self'"),
        **dict.fromkeys(("connect-src", "form-action"), "'self'"),
        **dict.fromkeys(("base-uri", "frame-ancestors"), "'none'"),
        "require-trusted-types-for": "'script'",
        "trusted-types": "honmono",
    }


def test_plain_http_leads_to_tls_but_for_health(told):
    assert told["plain"] == [301, "https://survey.example.org/"]
    assert told["health"] == 200


def test_others_than_the_proxy_cannot_claim_tls(told):
    assert told["direct"] == 301
