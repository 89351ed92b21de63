"""The command line as `python -m nas`."""

from nas.cli import run

run()
