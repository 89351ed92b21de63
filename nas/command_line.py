"""Command lines to print, such as how to go on."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

RUNS_DIR = Path("runs")
"""Where searches are kept if nothing else is said."""


def runs_folder(given: str | Path | None) -> Path:
    """Where searches are kept: what is given, else NAS_RUNS_DIR, else `runs`."""
    return Path(given or os.environ.get("NAS_RUNS_DIR") or RUNS_DIR)


def command_line(*words: str, runs_dir: Path, tracking_uri: str | None = None) -> str:
    """A command line that works as printed: with the program as it was called, and where its search and MLflow are.

    Only a password in the address is left to be filled in: what is printed may be kept in a log.
    """
    program = Path(sys.argv[0])
    known = shutil.which("nas")
    name = "nas"
    if program.name == "nas" and not (known and Path(known).resolve() == program.resolve()):
        name = str(program)
    there = ["--tracking-uri", without_password(tracking_uri)] if tracking_uri else []
    where = [] if runs_dir == RUNS_DIR else ["--runs-dir", str(runs_dir)]
    return shlex.join([name, *words, *there, *where])


def without_password(text: str) -> str:
    """An address, or a text that holds some, as people may read it.

    All that stands before the last @ of an address may be secret: a password may hold a / or an @, and a user without
    a password is a token. So are the values of a query whose names say it.

    >>> without_password("https://me:secret@host:5000/mlflow")
    'https://me:***@host:5000/mlflow'
    >>> without_password("postgresql://me:a/b@c@host/db?sslpassword=x&port=1, https://token@host")
    'postgresql://me:***@host/db?sslpassword=***&port=1, https://***@host'
    """
    text = re.sub(r"""(://)(?:([^\s/:@'"]*):)?[^\s'",]*@""", lambda m: f"://{m[2] + ':' if m[2] else ''}***@", text)
    return re.sub(r"""(?i)([?&][^\s=&#]*(?:passw|pwd|token|secret|key)[^\s=&#]*=)[^\s&#'",)]*""", r"\1***", text)
