"""The command line: one file a command. The only place that prints."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from nas.cli.terminal import errors, set_up_logging
from nas.errors import NasError

__all__ = ["main", "run"]

_INTERRUPTED, _TERMINATED = 130, 143


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: without the program's name; the process' own if left out.

    Returns:
        Exit code: 0 done, 1 an error in one line, 2 wrong usage, 130 interrupted, 143 terminated.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    set_up_logging(debug=debug)
    if sys.platform == "win32":
        errors.print("Error: nas needs Linux or macOS; on Windows, install and run it in WSL 2", style="red")
        return 1
    try:
        from nas.cli.app import app

        app(args=[a for a in arguments if a != "--debug"], prog_name="nas")
        return 0
    except SystemExit as leave:
        # How the parser ends: 0 after a command, 2 after wrong usage, 130 after Ctrl-C.
        return leave.code if isinstance(leave.code, int) else 0
    except KeyboardInterrupt:  # while modules are imported
        return _INTERRUPTED
    except NasError as error:
        if debug:
            raise
        errors.print(f"Error: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        return 1
    except Exception as error:
        if debug:
            raise
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            errors.print("Error: the disk is full; free some space and run again", style="red", highlight=False)
            _close_full_output()
            return 1
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            name = str(error.filename)
            shown = f"{name[:60]}..." if len(name) > 60 else name
            errors.print(
                f"Error: a name is too long for the file system: {shown!r}; give a shorter one",
                style="red",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
            return 1
        errors.print(
            f"Error: a fault in nas ({type(error).__name__}: {error}); run again with --debug and report it",
            style="red",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        return 1


def _close_full_output() -> None:
    """Give up what stdout still holds and cannot write: Python would try again, and say so, when it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError):
            sys.stdout.close()


def run() -> None:
    """The console script."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without ± shows ?, as stderr does by itself
    code = main()
    if code in (_INTERRUPTED, _TERMINATED):
        # All that is to be kept is kept. TensorFlow, if it was interrupted, may crash while Python ends as usual.
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
