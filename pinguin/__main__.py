"""The command line: the only place that knows every process."""

from __future__ import annotations

import argparse
import asyncio
import gc
import inspect
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from pinguin import __doc__ as about
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


# Each command imports what it needs when it runs: a worker has no use for the web framework, nor its memory.
# What it says of itself is its --help: a line, which `pinguin --help` lists, and a lesson.


async def _up(settings: Settings, _: argparse.Namespace) -> int:
    """start everything on this machine: embedded database and Redis, scheduler, worker, pages

    It prints the address to open; the first visit makes the first account. Data and logs are in PINGUIN_DATA_DIR, and
    stay when Ctrl-C or SIGTERM stops everything.

      PINGUIN_WEB_PORT=9000 pinguin up    the pages on another port
      pinguin demo                        beside it: targets to look at
      pinguin psql                        beside it: questions in SQL
    """
    from pinguin.up import up

    return await up(settings)


async def _scheduler(settings: Settings, _: argparse.Namespace) -> int:
    """dispatch what is due, every second; one of all schedulers leads

    Any number may run. The one that leads also writes the schedule, brings back the jobs of killed workers and watches
    the whole pipeline; when it dies, another leads within 10 s. Needs PINGUIN_DATABASE_URL and PINGUIN_REDIS_URL.

      PINGUIN_HEALTH_PORT=8081 pinguin scheduler    answers there: /healthz, /readyz (with who leads), /metrics
    """
    from pinguin.scheduler import serve

    await serve(settings)
    return 0


async def _worker(settings: Settings, arguments: argparse.Namespace) -> int:
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

        return await many(settings, "worker", arguments.processes)
    from pinguin.worker import serve

    await serve(settings)
    return 0


async def _web(settings: Settings, _: argparse.Namespace) -> int:
    """serve the pages

    Any number may run, behind a proxy. They listen on PINGUIN_WEB_HOST and PINGUIN_WEB_PORT, 127.0.0.1:8080 by default.
    Needs PINGUIN_DATABASE_URL, PINGUIN_REDIS_URL, and the others' PINGUIN_SECRET_KEY. While there is no account, the
    log shows the address that makes the first one.

      PINGUIN_BASE_URL=https://status.example PINGUIN_TRUSTED_PROXIES=10.0.0.2 pinguin web    behind a proxy
    """
    from pinguin.web.app import serve

    await serve(settings)
    return 0


async def _migrate(settings: Settings, _: argparse.Namespace) -> int:
    """bring the database to the newest version, and its retention to the settings

    It may run twice, and in several places at once. `pinguin up` does it by itself; elsewhere run it before the
    processes of a new version start. Retention is what PINGUIN_RAW_RETENTION_DAYS, PINGUIN_ROLLUP_RETENTION_DAYS and
    PINGUIN_COLUMNSTORE_AFTER_DAYS say then.
    """
    from pinguin.embedded.attach import attached
    from pinguin.setup import prepare_database

    lines = await prepare_database(attached(settings))
    print("\n".join(lines) or "Nothing to do: the database is at the newest version.")
    return 0


async def _doctor(settings: Settings, _: argparse.Namespace) -> int:
    """check database, Redis, ICMP permission and clocks, and say what to do

    It looks at what PINGUIN_DATABASE_URL and PINGUIN_REDIS_URL name, or else at what runs in PINGUIN_DATA_DIR. The exit
    code is 0 where all is well.
    """
    from pinguin.doctor import doctor

    return await doctor(settings)


async def _psql(settings: Settings, arguments: argparse.Namespace) -> int:
    """open psql on whichever database runs

      pinguin psql -c 'select * from history.results limit 5'
      pinguin psql -f uptime.sql

    Inside, \\dv history.* lists the views, and \\i uptime.sql asks a question that is written already; -f does too.
    """
    from pinguin.psql import psql

    psql(settings, arguments.others)


async def _demo(settings: Settings, arguments: argparse.Namespace) -> int:
    """serve targets that work, fail and flap on loopback, with a monitor for each, until Ctrl-C

    It needs a stack that runs, and takes its monitors away again when it ends.
    """
    from pinguin.demo.command import demo

    return await demo(settings, arguments.port)


async def _rescue(settings: Settings, arguments: argparse.Namespace) -> int:
    """a new password for somebody who cannot sign in any more: prints a one-time link

    Whoever opens the link takes a new password, once. Without a name it lists who has an account.

      pinguin rescue ada --second-factor    and no code of the telephone that is lost is asked for any more
    """
    from pinguin.rescue import rescue

    return await rescue(
        settings,
        arguments.name,
        factor=arguments.second_factor,
        revoke=arguments.tokens,
        owner=arguments.owner,
    )


async def _check(settings: Settings, arguments: argparse.Namespace) -> int:
    """run one check from here, and show its phases, conditions and evidence"""
    from pinguin.check_command import check
    from pinguin.guard import Guard

    return await check(arguments.others, Guard.of(settings))


async def _replay(settings: Settings, arguments: argparse.Namespace) -> int:
    """run a monitor's history through other thresholds, and show which incidents and alerts there would have been"""
    from pinguin.replay.command import replay

    return await replay(settings, arguments.others)


COMMANDS: dict[str, Callable[[Settings, argparse.Namespace], Coroutine[Any, Any, int]]] = {
    function.__name__.removeprefix("_"): function
    for function in (_up, _scheduler, _worker, _web, _migrate, _doctor, _rescue, _check, _replay, _psql, _demo)
}


OWN_OPTIONS = ("check", "replay")
"""Commands that read their own words, and have their own help."""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="pinguin", description=about, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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


def main() -> int:
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
        with asyncio.Runner(loop_factory=lambda: _new_event_loop(arguments.command)) as runner:
            return runner.run(COMMANDS[arguments.command](settings, arguments))
    except Unavailable as error:
        print(f"pinguin: {error}\nIs it running? `make up` starts everything; `pinguin doctor` looks.", file=sys.stderr)
        return 1
    except PinguinError as error:
        print(f"pinguin: {error}", file=sys.stderr)
        return 2 if arguments.command in OWN_OPTIONS else 1  # for check, 1 says that the target is down
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
