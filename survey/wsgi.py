"""The WSGI entry point, used by `manage.py demo` and in production alike."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "survey.settings")
application = get_wsgi_application()

# What is loaded now stays; looking through it for garbage would stop everybody for a while.
gc.collect()
gc.freeze()
