#!/usr/bin/env python
"""Django's command line for Honmono."""

import os
import sys

from survey.demo import environment


def main() -> None:
    environment.prepare(sys.argv[1] if len(sys.argv) > 1 else "")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "survey.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
