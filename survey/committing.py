"""Commits that are shared: waiting for the disk takes as long for many as for one.

So a serving process has one thread that takes all waiting jobs and does them with one commit. It
gives the results back after the commit; nothing is acknowledged earlier. Responses that wait
together are one job: one statement reads for all of them and one inserts, so that trips to the
database and changes of thread are shared as well. With SQLite, which lets one writer in at a time,
whatever writes is a job of this thread. PostgreSQL takes the rest side by side.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import wraps
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple, ParamSpec, TypeVar

from django.conf import settings
from django.db import DatabaseError, DataError, IntegrityError, connection, transaction
from django.utils import translation

Params = ParamSpec("Params")
One = TypeVar("One")
Result = TypeVar("Result")

#: More would make the first of them wait for too long.
MOST = 50


class Job(NamedTuple):
    """What is to be done, and who waits for the outcome: a result, or an error to be raised."""

    function: Callable[[list[Any]], list[Any]]
    argument: Any
    future: "Future[Any]"


def together(function: Callable[[list[One]], list[Result | Any]], argument: One) -> Result:
    """What `function` makes of one argument, once what it wrote is safe on the disk.

    It gets the arguments that wait at the same time in one list, and returns as many outcomes.
    Errors are raised, those among the outcomes too. Within a transaction it is part of that one:
    the writer would wait for a lock that we hold. Nor does the writer wait for itself.
    """
    is_writer = isinstance(threading.current_thread(), Writer)
    if settings.SHARED_COMMITS and not connection.in_atomic_block and not is_writer:
        future: Future[Result] = Future()
        _writer().jobs.put(Job(function, argument, future))
        return future.result()
    (outcome,) = function([argument])
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def committed(job: Callable[[], Result]) -> Result:
    """The result of a job, once what it wrote is safe on the disk. Its errors are raised.

    A job that writes more than one statement is atomic by itself (a savepoint), so that it can
    fail without the others.
    """
    return together(_each, job) if connection.vendor == "sqlite" else job()


def _each(jobs: list[Callable[[], Any]]) -> list[Any]:
    """The outcomes of jobs that have nothing in common but the commit."""
    return [_outcome(job) for job in jobs]


def _outcome(job: Callable[[], Any]) -> Any:
    """What a failing database may have undone is everybody's; the rest is the job's own."""
    try:
        return job()
    except (IntegrityError, DataError) as error:
        return error
    except (DatabaseError, MemoryError):
        raise
    except Exception as error:
        return error


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
    """The one thread of a process that stores what shares its commits."""

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
        try:
            connection.close_if_unusable_or_obsolete()
            with _transaction():
                outcomes = _outcomes(jobs)
        except BaseException as error:  # nobody may believe that anything is safe
            outcomes = [error] * len(jobs)
        for job, outcome in zip(jobs, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                job.future.set_exception(outcome)
            else:
                job.future.set_result(outcome)


def _outcomes(jobs: list[Job]) -> list[Any]:
    """The outcomes of jobs in their order; those of one function that follow each other at once."""
    outcomes = []
    for function, group in groupby(jobs, key=attrgetter("function")):
        outcomes += _outcomes_of(function, [job.argument for job in group])
    return outcomes


def _outcomes_of(function: Callable[[list[Any]], list[Any]], arguments: list[Any]) -> list[Any]:
    """What a function makes of its arguments; if one of them spoils it, of each by itself."""
    outcomes = _outcome(lambda: function(arguments))
    if not isinstance(outcomes, Exception):
        if len(outcomes) != len(arguments):
            raise AssertionError(f"{function} gave {len(outcomes)} outcomes of {len(arguments)}.")
        return outcomes
    if len(arguments) == 1:
        return [outcomes]
    return [one for argument in arguments for one in _outcomes_of(function, [argument])]


@contextmanager
def _transaction() -> Iterator[None]:
    """One for all jobs; with PostgreSQL each statement is its own, and one stores what waits."""
    if connection.vendor != "sqlite":
        yield
        return
    with transaction.atomic():
        yield
        _check_transaction()


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
