"""The WSGI entry point, used by `manage.py demo` and in production alike."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "survey.settings")
application = get_wsgi_application()
