"""`pinguin psql`: psql on whichever database runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import Any, NoReturn

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pinguin.db import SQL
from pinguin.embedded.attach import attached
from pinguin.errors import PinguinError
from pinguin.settings import Settings


def psql(settings: Settings, arguments: Sequence[str]) -> NoReturn:
    """Become psql, in the folder of the analytics questions, so that `\\i uptime.sql` asks one."""
    program = shutil.which("psql")
    if program is None:
        raise PinguinError("psql is not installed: `apt-get install postgresql-client`, or `brew install libpq`")
    questions = sorted(path.name for path in (SQL / "analytics").glob("*.sql"))
    if not arguments:
        print("\\dv history.*  lists the views for people; \\d+ history.results  explains one.")
        print(f"Questions that are written already: {', '.join(questions)}. \\i FILE asks one.", flush=True)
    given: dict[str, Any] = conninfo_to_dict(
        attached(settings).database_url
    )  # a relative data folder is meant from here
    password = given.pop("password", None)
    environment = dict(os.environ) | ({"PGPASSWORD": str(password)} if password else {})  # not for `ps` to show
    os.chdir(SQL / "analytics")
    os.execve(program, [program, make_conninfo(**given), *arguments], environment)  # noqa: S606
