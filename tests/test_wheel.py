"""What users install: the wheel in a clean environment, without extras, away from the clone."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import nas
from nas.resources import shipped

ROOT = Path(nas.__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)], check=True, capture_output=True
    )
    (path,) = folder.glob("keras_nas-*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_has_everything_that_is_shipped(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("search_spaces", "experiments"):
        for name in shipped(folder):
            assert f"nas/_data/{folder}/{name}.yaml" in names
    assert "nas/py.typed" in names
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in names)


@pytest.mark.slow
def test_the_wheel_works_in_a_clean_environment(wheel, tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    installed = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert installed.returncode == 0, installed.stderr

    def run(*arguments):
        command = [str(tmp_path / "venv" / "bin" / "nas"), *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout

    assert run("--version") == f"nas {nas.__version__}\n"
    assert "mixed" in run("list", "spaces")
    assert "digits: 8x8x1, 10 classes" in run("search", "digits", "--dry-run")
