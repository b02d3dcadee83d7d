"""Jobs that wait together for the thread that shares commits."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from survey import committing

SECONDS = 10  # so that a job which never ends fails its test and does not hold it up


def wait_together(asking: Sequence[Callable[[], Any]]) -> list[Future[Any]]:
    """Ask each in a thread of its own while the writer is busy, let it go on, wait for all."""
    began, gate = threading.Event(), threading.Event()

    def hold(arguments: list[None]) -> list[None]:
        began.set()
        gate.wait(SECONDS)
        return arguments

    with ThreadPoolExecutor(len(asking) + 1) as pool:
        pool.submit(committing.together, hold, None)
        assert began.wait(SECONDS)
        asked = []
        for number, ask in enumerate(asking, start=1):  # one after the other: the order is known
            asked.append(pool.submit(ask))
            _wait_for(number)
        gate.set()
    return asked


def _wait_for(number: int) -> None:
    """Until so many jobs wait."""
    end = time.monotonic() + SECONDS
    while committing._writer().jobs.qsize() < number:
        assert time.monotonic() < end
        time.sleep(0.001)
