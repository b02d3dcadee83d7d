"""How many participants one server holds: run by hand, alone on the machine.

    uv run python tests/benchmarks/serve.py --participants 4000            (SQLite)
    uv run python tests/benchmarks/serve.py --participants 5000 --database postgres://...
    uv run python tests/benchmarks/serve.py --participants 64 --think 0     (closed loop)
    uv run python tests/benchmarks/serve.py --participants 64 --think 0 --peer otree

The real server runs on core 0 (workers share it and core 1 where there are several), the
synthetic participants on core 1. Each participant carries its own state and keeps its connection:
it takes the next trial from the last acknowledgement and sends one response every `--think`
seconds. They arrive at a hundred a second, as fast as participants can start, unless `--ramp` says
otherwise. Latency counts from the moment at which a response was due, so a stall is not hidden.
Images are not fetched: in production no Python serves them.
"""

import argparse
import asyncio
import json
import math
import os
import random
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import otree_peer

ROOT = Path(__file__).resolve().parents[2]
PORT = 8765
TRIALS = 60
ROUNDS = 3
ARRIVE = 100  # participants a second


@dataclass
class Tally:
    """What the generator saw."""

    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    end: float = math.inf
    gate: asyncio.Barrier | None = None  # in a closed loop all begin when everybody is there

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


async def request(reader: Any, writer: Any, method: str, path: str, body: bytes = b"") -> Any:
    """One HTTP/1.1 request on a kept connection; returns status and body."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    writer.write(head.encode() + b"\r\n" + body)
    status = int((await reader.readline()).split()[1])
    length = 0
    while (line := await reader.readline()) not in (b"\r\n", b""):
        if line[:15].lower() == b"content-length:":
            length = int(line[15:])
    return status, await reader.readexactly(length)


async def participant(token: str, think: float, start: float, tally: Tally) -> None:
    """One synthetic participant until the time is over or the trials are done."""
    await asyncio.sleep(max(0.0, start - time.monotonic()))
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    status, body = await request(reader, writer, "GET", f"/p/{token}/trials")
    if status != 200:
        raise SystemExit(f"The first plan was answered with {status}: {body[:500]!r}")
    state = json.loads(body)
    if tally.gate:
        await tally.gate.wait()
    due = time.monotonic() + random.random() * think
    while state.get("step") == "trials" and time.monotonic() < tally.end:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        trial = state["trials"][0]
        answer = {"token": trial["token"], "response": "left", "confidence": 1.0, "rt_ms": 900.5}
        answer |= {"input_device": "mouse", "layout": "side_by_side", "viewport_w": 1440}
        status, body = await request(
            reader, writer, "POST", f"/p/{token}/responses", json.dumps(answer).encode()
        )
        now = time.monotonic()
        tally.latencies.append(now - due)
        if status != 200:
            tally.errors += 1
            break
        state = json.loads(body)
        due = max(due + think, now) if think else now
    writer.close()


async def load(
    people: list[str],
    think: float,
    ramp: float,
    seconds: float,
    begun: Callable[[], None],
    go: Any = participant,
) -> Tally:
    """All participants; what comes before all are there is not counted.

    They join evenly during the ramp, or, without think time, wait for each other. `begun` is
    called when counting begins.
    """
    tally, now = Tally(), time.monotonic()
    if not think:
        tally.gate = asyncio.Barrier(len(people) + 1)
    tasks = [go(one, think, now + ramp * i / len(people), tally) for i, one in enumerate(people)]

    async def begin() -> None:
        await (tally.gate.wait() if tally.gate else asyncio.sleep(ramp))
        tally.latencies.clear()
        tally.end = time.monotonic() + seconds
        begun()

    await asyncio.gather(begin(), *tasks)
    return tally


def environment(folder: str, database: str | None) -> dict[str, str]:
    values = {"HONMONO_VAR": folder, "SECRET_KEY": "benchmark-" * 6, "PYTHONPATH": str(ROOT)}
    values |= {"DATABASE_URL": database} if database else {}
    return os.environ | values | {"DJANGO_SETTINGS_MODULE": "survey.settings"}


def set_up(count: int) -> None:
    """In a process of its own: a study of 60 trials, and `count` participants who have started."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction

    from tests import factories

    if connection.vendor == "postgresql":  # a database of our own; triggers refuse to empty it
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    call_command("migrate", verbosity=0)
    study = factories.make_study(
        factories.block("preference", "prefer_pair", trials=TRIALS // 2),
        factories.block(trials=TRIALS // 2, confidence_steps=4),
        pairs=TRIALS // 2,
    )
    began = time.monotonic()
    for start in range(0, count, 100):
        with transaction.atomic():
            for number in range(start, min(count, start + 100)):
                print(factories.enrol(study, number).token)
    print(f"{count / (time.monotonic() - began):.0f} starts a second", file=sys.stderr)


def wait_until_it_answers(server: "subprocess.Popen[bytes]") -> None:
    """Until our server (and nobody else on that port) takes connections."""
    while True:
        time.sleep(1)
        if server.poll() is not None:
            raise SystemExit("The server did not start; is the port in use?")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", PORT)) == 0:
                return


def wait_until_it_rests(server: "subprocess.Popen[bytes]") -> None:
    """Until the worker for background tasks has started too, whose start is not what we measure."""
    before, busy = 0.0, True
    while busy:
        time.sleep(2)
        now = cpu_seconds(server.pid)
        before, busy = now, now - before > 0.2


def cpu_seconds(pid: int) -> float:
    """CPU of a process and its living children."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0.0
    for one in [pid, *children(pid)]:
        parts = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += (int(parts[11]) + int(parts[12])) / ticks
    return total


def memory_mb(pid: int) -> list[int]:
    """Resident memory of each process of the server."""
    pages = [int(Path(f"/proc/{p}/statm").read_text().split()[1]) for p in [pid, *children(pid)]]
    return [page * os.sysconf("SC_PAGE_SIZE") // 2**20 for page in pages]


def children(pid: int) -> list[int]:
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    direct = [int(line) for line in listed.stdout.split()]
    return direct + [grandchild for child in direct for grandchild in children(child)]


def run(options: argparse.Namespace) -> tuple[float, float]:
    """Measure our server; returns trials a second and CPU milliseconds a trial."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as folder:
        env = environment(folder, options.database)
        made = subprocess.run(
            [sys.executable, __file__, "--set-up", str(options.participants)],
            env=env,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        tokens = made.stdout.split()
        command = ["taskset", "-c", options.cores, sys.executable, "manage.py", "serve"]
        command += ["--port", str(PORT), "--workers", str(options.workers)]
        server = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
        try:
            return measured(options, server, tokens, participant, "Honmono")
        finally:
            server.terminate()
            server.wait(30)


def run_peer(options: argparse.Namespace, peer: otree_peer.Peer) -> tuple[float, float]:
    """The same for the other server."""
    server = peer.start(options.cores)
    try:
        wait_until_it_answers(server)
        codes = peer.enrol(options.participants)
        return measured(options, server, codes, partial(otree_peer.participant, PORT), "oTree")
    finally:
        peer.stop(server)


def measured(
    options: argparse.Namespace,
    server: "subprocess.Popen[bytes]",
    people: list[str],
    go: Any,
    name: str,
) -> tuple[float, float]:
    """Let all take part once the server answers; print what was seen."""
    wait_until_it_answers(server)
    wait_until_it_rests(server)
    os.sched_setaffinity(0, {1})
    began: list[float] = []

    def clocks() -> list[float]:
        return [time.monotonic(), cpu_seconds(server.pid), time.process_time()]

    ramp = options.participants / ARRIVE if options.ramp is None else options.ramp
    loaded = load(people, options.think, ramp, options.seconds, lambda: began.extend(clocks()), go)
    tally = asyncio.run(loaded)
    wall, cpu, own = (after - before for after, before in zip(clocks(), began, strict=True))
    return report(options, tally, wall, cpu, own, memory_mb(server.pid), name)


def compare(options: argparse.Namespace) -> None:
    """Ours and oTree in turn, so that a busy machine slows both; the medians are compared."""
    with tempfile.TemporaryDirectory() as folder:
        peer = otree_peer.Peer(Path(folder), TRIALS, PORT, options.database)
        peer.set_up()
        pairs = [(run(options), run_peer(options, peer)) for _round in range(ROUNDS)]
    (ours, our_cpu), (theirs, their_cpu) = (
        [statistics.median(column) for column in zip(*side, strict=True)]
        for side in zip(*pairs, strict=True)
    )
    print(f"Honmono is oTree times {ours / theirs:.1f} in trials/s", end=", ")
    print(f"times {their_cpu / our_cpu:.1f} in trials a second of the server's CPU")


def report(
    options: argparse.Namespace,
    tally: Tally,
    wall: float,
    cpu: float,
    own: float,
    mb: list[int],
    name: str,
) -> tuple[float, float]:
    n = len(tally.latencies)
    kind = f"every {options.think:g} s" if options.think else "closed loop"
    print(
        f"{name}, {'PostgreSQL' if options.database else 'SQLite'}, {options.participants} "
        f"participants, {kind}: {n / wall:.0f} trials/s, {cpu / n * 1000:.2f} CPU ms a trial, "
        f"p50 {tally.percentile(0.5):.0f} ms, "
        f"p99 {tally.percentile(0.99):.0f} ms, errors {tally.errors}; server CPU "
        f"{cpu / wall:.2f} cores, generator {own / wall:.2f} cores, server memory {mb} MB"
    )
    return n / wall, cpu / n * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--participants", type=int, default=1000)
    parser.add_argument("--think", type=float, default=4.0, help="seconds; 0 = closed loop")
    parser.add_argument("--ramp", type=float, help="seconds in which all have arrived")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--cores", default="0", help="cores of the server, as taskset wants them")
    parser.add_argument("--database", help="address of a PostgreSQL database; SQLite without")
    parser.add_argument("--peer", choices=["otree"], help="measure oTree too, in turns with ours")
    parser.add_argument("--set-up", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.set_up:
        set_up(options.set_up)
    elif options.peer:
        compare(options)
    else:
        run(options)


if __name__ == "__main__":
    main()
