"""A program of yours on the worker's machine, run once for each message.

It may be any program in the folder that `PINGUIN_SCRIPT_DIR` names (without that setting there are none); the pages
cannot put one there. It gets the message as JSON on its standard input, in the shape that is documented below, and in
its environment `PINGUIN_SUBJECT`, `PINGUIN_TEXT`, `PINGUIN_KEY` (the same for every try), `PINGUIN_CHANNEL`,
`PINGUIN_KIND`, `PINGUIN_MONITOR`, `PINGUIN_TARGET`, `PINGUIN_URL`, `PINGUIN_COUNT`, `PATH`, `HOME` and `LANG`: nothing
of Pinguin's own environment, in which there may be passwords.

Exit code 0 is delivered. 64, 77, 78, 126 and 127 (wrong use, no permission, wrong configuration, not to be run) end the
tries and mark the channel broken. 75 and every other code, a signal, or no end in time are tried again: an alert that
comes twice is better than one that is lost. What the program leaves running in its process group is ended with it.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, Annotated

import msgspec

from pinguin.alerts import payload
from pinguin.alerts.contract import MOST_ANSWER, Answer, ChannelOptions, Context, Failed, Refused, Rendered
from pinguin.errors import InvalidInput
from pinguin.fields import Examples, field
from pinguin.scrub import CUT
from pinguin.settings import Settings

TITLE = "Script"

PERMANENT = {64, 77, 78, 126, 127}
"""EX_USAGE, EX_NOPERM, EX_CONFIG; what shells answer for a program that is none, or not there."""
TEMPORARY = 75
"""EX_TEMPFAIL: surely not delivered."""
MOST_READ = 4 * MOST_ANSWER
MOST_VARIABLE = 32_000
"""Bytes of one variable: the kernel takes 128 kB at most, all of them together with the arguments 2 MB."""
DRAIN_S = 0.5

OFF = (
    "scripts are off: set PINGUIN_SCRIPT_DIR, for every worker, to the folder that holds the programs which channels "
    "may run"
)

EXAMPLES: Examples = (
    ("A program with arguments:", {"program": "ring-the-bell", "arguments": ["--tone", "low"]}),
    ("In a folder below:", {"program": "sms/send.py", "timeout_s": 20.0}),
)


class Options(ChannelOptions, frozen=True):
    program: Annotated[
        str,
        field("Program", "Its name in the folder of PINGUIN_SCRIPT_DIR.", placeholder="notify.sh", max_length=200),
    ]
    arguments: Annotated[
        list[str], field("Arguments", "One a line, passed as they are: there is no shell.", max_length=50)
    ] = msgspec.field(default_factory=list)
    variables: Annotated[
        dict[str, str],
        field(
            "Variables", "TOKEN is PINGUIN_OPTION_TOKEN in its environment. Kept secret.", secret=True, max_length=30
        ),
    ] = msgspec.field(default_factory=dict)
    timeout_s: Annotated[
        float, field("Timeout", "After it the program is killed.", unit="s", ge=1, le=30, advanced=True)
    ] = 10.0

    def __post_init__(self) -> None:
        InvalidInput.raise_for(_faults(self))

    def target(self) -> str:
        return self.program


def off(settings: Settings) -> str | None:
    return None if settings.script_dir else OFF


async def send(options: Options, rendered: Rendered, context: Context) -> Answer:
    """Raises `Refused`, `Failed`."""
    folder, program = _found(context.settings.script_dir, options.program)
    with tempfile.TemporaryFile() as message:
        message.write(payload.encoded(rendered))
        message.seek(0)
        code, output = await _run([str(program), *options.arguments], message, folder, options, rendered, context)
    text = f"exit code {code}" + (f": {output}" if output else "")
    if code == 0:
        return Answer(text, code)
    if code in PERMANENT:
        raise Refused(Answer(text, code))
    text = f"ended by signal {-code}" + (f": {output}" if output else "") if code < 0 else text
    raise Failed(Answer(text, code), unsure=code != TEMPORARY)


def _found(script_dir: str, name: str) -> tuple[Path, Path]:
    """The folder and the program. Raises `Refused` for what is not a program in it, wherever its links lead."""
    folder = Path(script_dir).resolve()
    path = (folder / name).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise Refused(f"there is no program {name} in the folder of PINGUIN_SCRIPT_DIR on this worker")
    if not os.access(path, os.X_OK):
        raise Refused(f"{name} may not be run: chmod +x it")
    return folder, path


async def _run(
    command: list[str], message: IO[bytes], folder: Path, options: Options, rendered: Rendered, context: Context
) -> tuple[int, str]:
    """Its exit code and the beginning of what it printed.

    Its output comes through a pipe of ours, not through one of asyncio's: a child of the program that keeps the pipe
    open must not keep us waiting.
    """
    limit = min(options.timeout_s, context.timeout)
    async with _pipe() as (output, write):
        context.stage = "starting the program"
        process = await _started(command, message, write, folder, _environment(options, rendered))
        os.close(write)
        context.sent, context.stage = True, "the program runs"
        try:
            async with asyncio.timeout(limit):
                code = await process.wait()
        except TimeoutError:
            text = f": {output.text()}" if output.text() else ""
            raise Failed(f"{options.program} was killed after {limit:g} s{text}", unsure=True) from None
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        await output.ended(DRAIN_S)
        return code, output.text()


async def _started(
    command: list[str], message: IO[bytes], write: int, folder: Path, environment: dict[str, str]
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=message,
            stdout=write,
            stderr=write,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise Refused(f"{Path(command[0]).name} cannot be run: {error.strerror}") from None


class _Output(asyncio.Protocol):
    """Reads all, keeps the beginning."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._closed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self._kept += data[: MOST_READ - len(self._kept)]

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()

    async def ended(self, within_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._closed.wait()

    def text(self) -> str:
        words = " ".join(self._kept.decode("utf-8", "replace").split())
        return words + CUT if len(self._kept) == MOST_READ else words


@asynccontextmanager
async def _pipe() -> AsyncIterator[tuple[_Output, int]]:
    """What is written into the descriptor, which the caller closes, is read."""
    read, write = os.pipe()
    transport, output = await asyncio.get_running_loop().connect_read_pipe(_Output, os.fdopen(read, "rb", 0))
    try:
        yield output, write
    except Refused:
        os.close(write)
        raise
    finally:
        transport.close()


def _environment(options: Options, rendered: Rendered) -> dict[str, str]:
    message = rendered.message
    facts = {
        "SUBJECT": rendered.subject,
        "TEXT": rendered.text,
        "KEY": message.key,
        "CHANNEL": message.channel,
        "KIND": message.item.kind,
        "MONITOR": message.item.monitor,
        "TARGET": message.item.target,
        "URL": message.item.url,
        "COUNT": str(len(message.items)),
    }
    ours = {f"PINGUIN_{name}": _fitting(value) for name, value in facts.items()}
    theirs = {f"PINGUIN_OPTION_{name}": value for name, value in options.variables.items()}
    return {**ours, **theirs, "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/", "LANG": "C.UTF-8"}


def _fitting(value: str) -> str:
    """What an environment takes: no NUL, and not too long."""
    encoded = value.replace("\x00", "\ufffd").encode("utf-8", "replace")
    return encoded[:MOST_VARIABLE].decode("utf-8", "ignore")


def _faults(options: Options) -> Iterator[tuple[str, str | None]]:
    parts = Path(options.program).parts
    if not parts or options.program.startswith(("/", "~")) or ".." in parts or "\x00" in options.program:
        yield "program", "must be the name of a program in the folder of PINGUIN_SCRIPT_DIR, such as notify.sh"
    if any("\x00" in word or len(word) > 4000 for word in options.arguments):
        yield "arguments", "must have at most 4,000 characters each, and no NUL"
    for name, value in options.variables.items():
        if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,60}", name):
            yield "variables", f"{name[:60]!r} must be of capital letters, digits and underscores"
        if "\x00" in value or len(value) > 4000:
            yield "variables", f"the value of {name[:60]} must have at most 4,000 characters, and no NUL"
