"""What must never happen, whatever happens: an acknowledged response is lost.

Short here. `HONMONO_FAULT_KILLS=100 uv run pytest -n 0 tests/faults` is the long form, whose
numbers are in docs/deploy.md.
"""

import json
import os
import random
import resource
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from tests import postgres
from tests.faults.crowd import Crowd, Visitor
from tests.faults.disk import Disk
from tests.faults.site import Site

KILLS = int(os.environ.get("HONMONO_FAULT_KILLS", "1"))
AWAY_SECONDS = 60 if KILLS > 10 else 2
ENGINES = ("sqlite", "postgresql")


@pytest.fixture(scope="module")
def disk() -> Iterator[Disk]:
    """The disk of the database; the long form writes more."""
    disk = Disk(megabytes=4000 if KILLS > 10 else 250)
    yield disk
    disk.remove()


@pytest.fixture(scope="module")
def database(disk) -> Iterator[postgres.Postgres]:
    server = postgres.Postgres(disk.folder)
    yield server
    server.remove()


@pytest.fixture(scope="module")
def sites(tmp_path_factory, database) -> Iterator[dict[str, Site]]:
    """A site on each engine, with a study in it."""
    made = {}
    for engine in ENGINES:
        folder = tmp_path_factory.mktemp(engine)
        file = f"sqlite:///{folder / 'honmono.sqlite3'}"
        url = file if engine == "sqlite" else postgres.new_database(database.url, "faults")
        made[engine] = Site(folder, url)
    with ThreadPoolExecutor() as pool:
        list(pool.map(Site.set_up, made.values()))
    yield made
    for site in made.values():
        if site.is_running():
            site.kill()


@pytest.fixture
def site(request, sites) -> Site:
    """A running site on the engine that the test names."""
    site = sites[request.param]
    if not site.is_running():
        site.start()
    return site


@pytest.fixture
def report(record_property, capsys):
    """Figures for the documentation, printed by the long form."""

    def write(name: str, crowd: Crowd, events: int) -> None:
        text = (
            f"{name}: {events} times, {len(crowd.diaries)} participants, "
            f"{crowd.acknowledged} acknowledged, {crowd.troubles} requests repeated"
        )
        record_property("figures", text)
        with capsys.disabled():
            if KILLS > 10:
                print(f"\n{text}")

    return write


def wait_for_work(crowd: Crowd, more: int = 20) -> None:
    """Until some more responses are acknowledged, so that a fault hits a site at work."""
    target, deadline = crowd.acknowledged + more, time.monotonic() + 60
    while crowd.acknowledged < target:
        assert time.monotonic() < deadline, [visitor.faults for visitor in crowd.visitors]
        time.sleep(0.01)


@pytest.mark.parametrize("site", ENGINES, indirect=True)
def test_killed_server_loses_nothing(site, report):
    chance = random.Random(7)
    with Crowd(site.port) as crowd:
        for _kill in range(KILLS):
            wait_for_work(crowd)
            time.sleep(chance.uniform(0, 0.3))
            site.kill()
            site.start()

    assert crowd.faults(site.look()) == []
    assert crowd.troubles > 0
    report(f"{site.folder.name}, server killed", crowd, KILLS)


@pytest.mark.parametrize("site", ["postgresql"], indirect=True)
def test_killed_database_loses_nothing(site, database, report):
    with Crowd(site.port) as crowd:
        for _kill in range(KILLS):
            wait_for_work(crowd)
            database.stop("immediate")
            database.start()

    assert crowd.faults(site.look()) == []
    assert crowd.troubles > 0
    report("postgresql, database killed", crowd, KILLS)


@pytest.mark.parametrize("site", ["postgresql"], indirect=True)
def test_database_that_is_away_comes_back_to_everybody(site, database, report):
    with Crowd(site.port) as crowd:
        wait_for_work(crowd)
        database.stop()
        time.sleep(AWAY_SECONDS)
        away = site.health()
        database.start()
        wait_for_work(crowd)

    assert (away, site.health()) == (503, 200)
    assert crowd.faults(site.look()) == []
    report(f"postgresql, database away for {AWAY_SECONDS} s", crowd, 1)


@pytest.mark.parametrize("site", ["postgresql"], indirect=True)
def test_restarted_database_is_noticed_by_nobody_who_comes_afterwards(site, database):
    """Each thread of the server holds a connection that is gone: it takes a new one by itself."""
    visitors = [Visitor(site.port, n, threading.Event()) for n in range(24)]
    with ThreadPoolExecutor(len(visitors)) as pool:
        states = list(pool.map(first_state, visitors))
        for ask in (respond, open_page):
            database.stop("fast")
            database.start()
            list(pool.map(ask, visitors, *zip(*states, strict=True)))
    for visitor in visitors:
        visitor.close()

    assert [visitor.troubles for visitor in visitors] == [0] * len(visitors)
    people = site.look()["people"]
    assert [len(people[token]["responses"]) for token, _state in states] == [1] * len(visitors)


def first_state(visitor: Visitor) -> tuple[str, dict[str, Any]]:
    token = visitor.start_part()
    return token, visitor.json("GET", f"/p/{token}/trials")


def respond(visitor: Visitor, token: str, state: dict[str, Any]) -> None:
    payload = visitor.response(state["block"], state["trials"][0])
    assert visitor.json("POST", f"/p/{token}/responses", payload)["stored"]


def open_page(visitor: Visitor, token: str, _state: dict[str, Any]) -> None:
    assert visitor.json("GET", f"/p/{token}/trials")["step"] == "trials"


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_full_disk_acknowledges_nothing_that_is_not_stored(site, report):
    """No file of the server may grow for a while; then there is room again."""
    with Crowd(site.port) as crowd:
        wait_for_work(crowd)
        limit_files(site, 4096)
        time.sleep(0.5)
        full = crowd.acknowledged
        time.sleep(1)
        assert crowd.acknowledged == full
        limit_files(site, resource.RLIM_INFINITY)
        wait_for_work(crowd)

    assert crowd.faults(site.look()) == []
    report("sqlite, disk full", crowd, 1)


def limit_files(site: Site, size: int) -> None:
    for pid in (site.process.pid, *site.descendants()):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.mark.parametrize("site", ["postgresql"], indirect=True)
def test_full_disk_of_postgresql_loses_nothing(site, disk, report):
    """The tables cannot grow until there is room again; the crowd goes on by itself."""
    with Crowd(site.port) as crowd:
        wait_for_work(crowd)
        disk.fill()
        try:
            wait_for_trouble(crowd)
        finally:
            disk.free()
        wait_for_work(crowd)

    assert crowd.faults(site.look()) == []
    report("postgresql, disk full", crowd, 1)


def wait_for_trouble(crowd: Crowd) -> None:
    """Until every visitor has been refused, on average."""
    deadline = time.monotonic() + 60
    while crowd.troubles < len(crowd.visitors):
        assert time.monotonic() < deadline, crowd.acknowledged
        time.sleep(0.01)


@pytest.mark.parametrize("site", ENGINES, indirect=True)
def test_deploy_in_the_middle_loses_nothing(site, report):
    """Pages of the old server send their responses to the new one."""
    codes = []
    with Crowd(site.port) as crowd:
        for _deploy in range(KILLS):
            wait_for_work(crowd)
            codes.append(site.stop())
            site.start()

    assert codes == [0] * KILLS
    assert crowd.faults(site.look()) == []
    report(f"{site.folder.name}, deploy", crowd, KILLS)


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_stop_answers_every_request_that_is_under_way(site):
    """Responses that wait for the database when the server is told to stop are stored and told."""
    visitors = [Visitor(site.port, n, threading.Event()) for n in range(12)]
    tokens = [visitor.start_part() for visitor in visitors]
    states = [
        visitor.json("GET", f"/p/{token}/trials")
        for visitor, token in zip(visitors, tokens, strict=True)
    ]
    answers: dict[str, int] = {}

    def respond_once(visitor: Visitor, token: str, state: dict) -> None:
        payload = visitor.response(state["block"], state["trials"][0])
        body = json.dumps(payload)
        headers = {"Content-Type": "application/json"}
        answer = visitor.ask("POST", f"/p/{token}/responses", body, headers)
        answers[token] = answer and answer[0]
        visitor.close()

    with closing(sqlite3.connect(site.folder / "honmono.sqlite3", isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        threads = [
            threading.Thread(target=respond_once, args=arguments)
            for arguments in zip(visitors, tokens, states, strict=True)
        ]
        for thread in threads:
            thread.start()
        time.sleep(1)
        site.process.terminate()
        time.sleep(0.5)
        assert answers == {}
        lock.execute("ROLLBACK")
    for thread in threads:
        thread.join(30)

    assert answers == dict.fromkeys(tokens, 200)
    assert site.process.wait(30) == 0
    people = site.look()["people"]
    assert [len(people[token]["responses"]) for token in tokens] == [1] * 12


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_slow_clients_hold_up_nobody(site):
    """Forty clients send a request bit by bit and never end it."""
    request = (
        b"POST /p/x/responses HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 5000\r\n\r\n{"
    )
    slow = [socket.create_connection(("127.0.0.1", site.port)) for _n in range(40)]
    for number, client in enumerate(slow):
        client.sendall(request if number % 2 else request[:60])

    with Crowd(site.port) as crowd:
        wait_for_work(crowd, 40)
    for client in slow:
        client.close()

    assert crowd.faults(site.look()) == []
    assert crowd.troubles == 0


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_killed_processes_of_the_server_are_started_again(site):
    with Crowd(site.port) as crowd:
        wait_for_work(crowd)
        old = site.descendants()
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        wait_for_work(crowd)
        deadline = time.monotonic() + 60
        while kinds(site) != kinds_of(old) and time.monotonic() < deadline:
            time.sleep(0.1)

    assert kinds(site) == kinds_of(old) == ["db_worker", "serve"]
    assert not set(site.descendants()) & set(old)
    assert crowd.faults(site.look()) == []


def kinds(site: Site) -> list[str]:
    return kinds_of(site.descendants())


def kinds_of(processes: dict[int, str]) -> list[str]:
    names = ("db_worker", "serve")
    return sorted(name for line in processes.values() for name in names if f" {name} " in line)


def test_log_of_the_faults_holds_no_private_link(sites):
    """Runs last: the servers above have logged errors of many requests with private links."""
    for site in sites.values():
        text = site.log.read_text()
        assert "[private]" in text
        assert len(site.tokens) > 0
        assert [token for token in site.tokens if token in text] == []
