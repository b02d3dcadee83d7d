"""Commits that are shared: SQLite waits for the disk at each commit, and lets one writer in.

So on SQLite the serving process has one thread that takes all waiting jobs, does them in one
transaction, and gives the results back after the commit. Nothing is acknowledged earlier. A whole
response is one job, its reading too: threads that take turns at every row they read would spend
a third of the time on changing over. PostgreSQL shares commits by itself.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import translation

Params = ParamSpec("Params")
Result = TypeVar("Result")
Job = tuple[Callable[[], Any], "Future[Any]"]

#: More would make the first of them wait for too long.
MOST = 50


def committed(job: Callable[[], Result]) -> Result:
    """The result of a job, once what it wrote is safe on the disk. Its errors are raised.

    A job that writes more than one statement is atomic by itself (a savepoint), so that it can
    fail without the others. Within a transaction the job is part of that one: the writer would
    wait for a lock that we hold.
    """
    if not settings.SHARED_COMMITS or connection.in_atomic_block:
        return job()
    future: Future[Result] = Future()
    _writer().jobs.put((job, future))
    return future.result()


def shared(function: Callable[Params, Result]) -> Callable[Params, Result]:
    """Decorator: the function is such a job, and speaks the language of its caller."""

    @wraps(function)
    def caller(*args: Params.args, **kwargs: Params.kwargs) -> Result:
        language = translation.get_language()

        def job() -> Result:
            with translation.override(language):
                return function(*args, **kwargs)

        return committed(job)

    return caller


class Writer(threading.Thread):
    """The one thread that writes."""

    def __init__(self) -> None:
        super().__init__(name="writer", daemon=True)
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()

    def run(self) -> None:
        while jobs := self._waiting():
            self._commit(jobs)
        connection.close()

    def _waiting(self) -> list[Job]:
        """At least one job, and all that wait behind it; none when it is time to stop."""
        first = self.jobs.get()
        jobs = [first] if first else []
        while jobs and len(jobs) < MOST and not self.jobs.empty():
            job = self.jobs.get()
            if job is None:
                self.jobs.put(None)
                break
            jobs.append(job)
        return jobs

    def _commit(self, jobs: list[Job]) -> None:
        done: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            connection.close_if_unusable_or_obsolete()
            with transaction.atomic():
                done = [self._do(*job) for job in jobs]
                _check_transaction()
        except BaseException as error:  # nothing was committed: nobody may believe otherwise
            done = [(future, None, error) for _job, future in jobs]
        for future, result, failure in done:
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)

    @staticmethod
    def _do(
        job: Callable[[], Any], future: "Future[Any]"
    ) -> tuple["Future[Any]", Any, BaseException | None]:
        """What a failing database may have undone is everybody's; the rest is the job's own."""
        try:
            return future, job(), None
        except IntegrityError as error:
            return future, None, error
        except (DatabaseError, MemoryError):
            raise
        except Exception as error:
            return future, None, error


def _check_transaction() -> None:
    """Raise where a job, or a database without memory, has undone what came before it."""
    if connection.needs_rollback or not getattr(connection.connection, "in_transaction", True):
        raise DatabaseError("The transaction was broken by one of its statements.")


_started: list[Writer] = []
_starting = threading.Lock()


def _writer() -> Writer:
    with _starting:
        if not (_started and _started[0].is_alive()):
            writer = Writer()
            writer.start()
            _started[:] = [writer]
        return _started[0]


def stop() -> None:
    """Finish what waits and end the writer; the next job starts another one."""
    with _starting:
        while _started:
            writer = _started.pop()
            writer.jobs.put(None)
            writer.join()
