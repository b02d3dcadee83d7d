"""Run in a process of its own, like one server of several: start participants at a signal."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import django

THREADS = 4


def start_many(count: int) -> list[int]:
    """The running numbers of those who were let in."""
    from django.db import connection

    from survey import enrolment
    from survey.models import Study
    from tests import factories

    study = Study.objects.get()

    def start(_attempt: int) -> int | None:
        try:
            return factories.enrol(study).number
        except enrolment.NotOpenError:
            return None
        finally:
            connection.close()

    print("ready", flush=True)
    sys.stdin.readline()
    with ThreadPoolExecutor(THREADS) as pool:
        return [number for number in pool.map(start, range(count)) if number is not None]


if __name__ == "__main__":
    django.setup()
    print(json.dumps(start_many(int(sys.argv[1]))))
