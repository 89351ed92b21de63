"""What the Tab key finds in bash, zsh and fish, with the scripts that the command line prints."""

import os
import shutil
import subprocess
import sys

import pytest

TAB = {
    # What a shell does at the Tab key, for the words in $@.
    "bash": """
        source "$SCRIPT"
        COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
        _nas_completion nas
        printf '%s\\n' "${COMPREPLY[@]}"
    """,
    "zsh": """
        autoload -Uz compinit && compinit -u -D
        source "$SCRIPT"
        [[ $_comps[nas] == _nas_completion ]] || exit 3
        _arguments() { print -r -- "$@" }
        words=("$@"); CURRENT=$#
        _nas_completion
    """,
    "fish": """
        source "$SCRIPT"
        complete -C "$argv"
    """,
}


@pytest.fixture(scope="module")
def tab(tmp_path_factory, finished_search):
    """Presses the Tab key behind some words in a shell."""
    folder = tmp_path_factory.mktemp("shells")
    program = folder / "nas"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from nas.cli import run; run()" "$@"\n')
    program.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "HOME": str(folder),
        "NAS_RUNS_DIR": str(finished_search.folder.runs_dir),
    }

    def press(shell, *words):
        if shutil.which(shell) is None:
            pytest.skip(f"{shell} is not installed")
        script = folder / f"script.{shell}"
        if not script.exists():
            printed = subprocess.run(
                [program], env=environment | {"_NAS_COMPLETE": f"source_{shell}"}, capture_output=True, check=True
            )
            script.write_bytes(printed.stdout)
        plain = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
        done = subprocess.run(
            [shell, *plain, "-c", TAB[shell], *([] if shell == "fish" else [shell]), *words],
            env=environment | {"SCRIPT": str(script)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return press


@pytest.mark.parametrize("shell", TAB)
def test_commands_experiments_options_and_searches_are_completed(shell, tab):
    assert "search" in tab(shell, "nas", "sea")
    found = tab(shell, "nas", "search", "digit_")
    assert "digit_scenes_segmentation" in found
    assert "mnist" not in found
    assert "--max-params" in tab(shell, "nas", "search", "digits", "--max-p")
    assert "digits" in tab(shell, "nas", "front", "di")
