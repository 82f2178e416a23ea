"""The command line: the only place that knows every process."""

from __future__ import annotations

import argparse
import asyncio
import gc
import inspect
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pinguin
from pinguin.errors import PinguinError, Unavailable
from pinguin.lifecycle import configure_logs
from pinguin.settings import Settings

EPILOG = """\
First steps:
  pinguin up         everything on this machine, with an embedded database and Redis
  pinguin demo       targets that work, fail and flap, and a monitor for each (while `pinguin up` runs)
  pinguin doctor     what is missing or wrong, and what to do about it
  pinguin rescue     a new password for somebody who cannot sign in any more
  pinguin check      one check from here: pinguin check http https://example.org --slow-ms 500

Each process by itself, on as many machines as you like (they need PINGUIN_DATABASE_URL and PINGUIN_REDIS_URL):
  pinguin migrate && pinguin scheduler | worker | web

Settings are PINGUIN_* environment variables; the README lists them.
"""


Work = Coroutine[Any, Any, int | None]
"""A command that is ready to run; its exit code, None for 0."""

# Each command imports what it needs when it is called: a worker has no use for the web framework, nor its memory.
# It runs only after that, so that Ctrl-C falls into no import.
# What it says of itself is its --help: a line, which `pinguin --help` lists, and a lesson.


def _up(settings: Settings, _: argparse.Namespace) -> Work:
    """start everything on this machine: embedded database and Redis, scheduler, worker, pages

    It prints the address to open; the first visit makes the first account. Data and logs are in PINGUIN_DATA_DIR, and
    stay when Ctrl-C or SIGTERM stops everything.

      PINGUIN_WEB_PORT=9000 pinguin up    the pages on another port
      pinguin demo                        beside it: targets to look at
      pinguin psql                        beside it: questions in SQL
    """
    from pinguin.up import up

    return up(settings)


def _scheduler(settings: Settings, _: argparse.Namespace) -> Work:
    """dispatch what is due, every second; one of all schedulers leads

    Any number may run. The one that leads also writes the schedule, brings back the jobs of killed workers and watches
    the whole pipeline; when it dies, another leads within 10 s. Needs PINGUIN_DATABASE_URL and PINGUIN_REDIS_URL.

      PINGUIN_HEALTH_PORT=8081 pinguin scheduler    answers there: /healthz, /readyz (with who leads), /metrics
    """
    from pinguin.scheduler import serve

    return serve(settings)


def _worker(settings: Settings, arguments: argparse.Namespace) -> Work:
    """take jobs of one region, check, record; --processes auto uses every core

    Any number may run. Needs PINGUIN_DATABASE_URL, PINGUIN_REDIS_URL, and the others' PINGUIN_SECRET_KEY.
    On SIGTERM it takes no more jobs, finishes its checks within PINGUIN_WORKER_GRACE_S, and writes what it has.

      PINGUIN_REGION=eu-west pinguin worker         takes the jobs of that region
      PINGUIN_WORKER_CONCURRENCY=50 pinguin worker  runs at most 50 checks at the same time
      PINGUIN_WORKER_CANARIES=10.0.0.1:443 pinguin worker
                                                    checks that reach nobody are unknown while it is silent
    """
    if arguments.processes > 1:
        from pinguin.processes import many

        return many(settings, "worker", arguments.processes)
    from pinguin.worker import serve

    return serve(settings)


def _web(settings: Settings, _: argparse.Namespace) -> Work:
    """serve the pages

    Any number may run, behind a proxy. They listen on PINGUIN_WEB_HOST and PINGUIN_WEB_PORT, 127.0.0.1:8080 by default.
    Needs PINGUIN_DATABASE_URL, PINGUIN_REDIS_URL, and the others' PINGUIN_SECRET_KEY. While there is no account, the
    log shows the address that makes the first one.

      PINGUIN_BASE_URL=https://status.example PINGUIN_TRUSTED_PROXIES=10.0.0.2 pinguin web    behind a proxy
    """
    from pinguin.web.app import serve

    return serve(settings)


def _migrate(settings: Settings, _: argparse.Namespace) -> Work:
    """bring the database to the newest version, and its retention to the settings

    It may run twice, and in several places at once. `pinguin up` does it by itself; elsewhere run it before the
    processes of a new version start. Retention is what PINGUIN_RAW_RETENTION_DAYS, PINGUIN_ROLLUP_RETENTION_DAYS and
    PINGUIN_COLUMNSTORE_AFTER_DAYS say then.
    """
    from pinguin.setup import migrate

    return migrate(settings)


def _doctor(settings: Settings, _: argparse.Namespace) -> Work:
    """check database, Redis, ICMP permission and clocks, and say what to do

    It looks at what PINGUIN_DATABASE_URL and PINGUIN_REDIS_URL name, or else at what runs in PINGUIN_DATA_DIR. The exit
    code is 0 where all is well.
    """
    from pinguin.doctor import doctor

    return doctor(settings)


def _psql(settings: Settings, arguments: argparse.Namespace) -> NoReturn:
    """open psql on whichever database runs

      pinguin psql -c 'select * from history.results limit 5'
      pinguin psql -f uptime.sql

    Inside, \\dv history.* lists the views, and \\i uptime.sql asks a question that is written already; -f does too.
    """
    from pinguin.psql import psql

    psql(settings, arguments.others)


def _demo(settings: Settings, arguments: argparse.Namespace) -> Work:
    """serve targets that work, fail and flap on loopback, with a monitor for each, until Ctrl-C

    It needs a stack that runs, and takes its monitors away again when it ends.
    """
    from pinguin.demo.command import demo

    return demo(settings, arguments.port)


def _rescue(settings: Settings, arguments: argparse.Namespace) -> Work:
    """a new password for somebody who cannot sign in any more: prints a one-time link

    Whoever opens the link takes a new password, once. Without a name it lists who has an account.

      pinguin rescue ada --second-factor    and no code of the telephone that is lost is asked for any more
    """
    from pinguin.rescue import rescue

    return rescue(
        settings,
        arguments.name,
        factor=arguments.second_factor,
        revoke=arguments.tokens,
        owner=arguments.owner,
    )


def _check(settings: Settings, arguments: argparse.Namespace) -> Work:
    """run one check from here, and show its phases, conditions and evidence"""
    from pinguin.check_command import check
    from pinguin.guard import Guard

    return check(arguments.others, Guard.of(settings))


def _replay(settings: Settings, arguments: argparse.Namespace) -> Work:
    """run a monitor's history through other thresholds, and show which incidents and alerts there would have been"""
    from pinguin.replay.command import replay

    return replay(settings, arguments.others)


COMMANDS: dict[str, Callable[[Settings, argparse.Namespace], Work]] = {
    function.__name__.removeprefix("_"): function
    for function in (_up, _scheduler, _worker, _web, _migrate, _doctor, _rescue, _check, _replay, _psql, _demo)
}


OWN_OPTIONS = ("check", "replay")
"""Commands that read their own words, and have their own help."""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="pinguin", description=pinguin.__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--version", action="version", version=f"pinguin {pinguin.__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, function in COMMANDS.items():
        own_help = name not in OWN_OPTIONS
        summary, _, lesson = (inspect.getdoc(function) or "").partition("\n\n")
        command = commands.add_parser(
            name, help=summary, description=summary, epilog=lesson, add_help=own_help,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        if name == "worker":
            command.add_argument(
                "--processes",
                type=_count,
                default=1,
                metavar="N",
                help="worker processes; auto: one a core (default: 1)",
            )
        if name == "psql":
            command.usage = "pinguin psql [what psql itself understands, such as -c SQL]"
        if name == "rescue":
            _rescue_options(command)
        if name == "demo":
            command.add_argument(
                "--port", type=int, default=8100, help="first port of the targets on 127.0.0.1 (default: 8100)"
            )
    return top


def _rescue_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", nargs="?", metavar="NAME", help="of the account; without one, all are listed")
    command.add_argument("--second-factor", action="store_true", help="take the second factor away too")
    command.add_argument("--tokens", action="store_true", help="revoke their API tokens too")
    command.add_argument("--owner", action="store_true", help="make them an owner")


def _count(text: str) -> int:
    """A number of processes, from 1 to 64, or auto: the cores that we may use."""
    if text == "auto":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor a number from 1 to 64")
    return int(text)


def _new_event_loop(command: str) -> asyncio.AbstractEventLoop:
    """uvloop for those that wait for many sockets; the supervisors need asyncio's own care for children."""
    if command in ("scheduler", "worker", "web"):
        try:
            import uvloop
        except ImportError:  # it is not made for every platform
            return asyncio.new_event_loop()
        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop
    return asyncio.new_event_loop()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Before and after the block, when there is nothing to put away, SIGINT just ends the process."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run() -> int:
    """What the words of the command line ask for; the exit code."""
    top = parser()
    arguments, others = top.parse_known_args()
    if others and arguments.command not in ("psql", *OWN_OPTIONS):
        top.error(f"unrecognized arguments: {' '.join(others)}")
    arguments.others = others
    # What is loaded by now stays, and checks make no cycles worth looking for so often: a fifth of a worker's CPU.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        settings = Settings.from_environment()
        configure_logs(settings, arguments.command)
        work = COMMANDS[arguments.command](settings, arguments)
        with _interruptible(), asyncio.Runner(loop_factory=lambda: _new_event_loop(arguments.command)) as runner:
            return runner.run(work) or 0
    except Unavailable as error:
        print(f"pinguin: {error}\nIs it running? `make up` starts everything; `pinguin doctor` looks.", file=sys.stderr)
        return 1
    except PinguinError as error:
        print(f"pinguin: {error}", file=sys.stderr)
        return 2 if arguments.command in OWN_OPTIONS else 1  # for check, 1 says that the target is down
    except KeyboardInterrupt:
        return 130
