"""What the tests of the command line share."""

import pytest

from nas.cli import main


@pytest.fixture
def run(capsys):
    """Run a command line: its exit code, stdout and stderr."""

    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
