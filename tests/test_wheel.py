"""What users install: the wheel in a clean environment, without extras, away from the clone."""

import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import nas
from nas.files.shipped import shipped

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


def declared(wheel) -> list[Distribution]:
    """What the wheel requires, and what that requires, as it is installed here; no extra that nobody asks for."""
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    wanted = [(text, ("",)) for text in Parser().parsestr(archive.read(metadata).decode()).get_all("Requires-Dist")]
    seen, found = set(), {}
    while wanted:
        text, extras = wanted.pop()
        requirement = Requirement(text)
        applies = not requirement.marker or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)
        if applies and (key := (canonicalize_name(requirement.name), *sorted(requirement.extras))) not in seen:
            seen.add(key)
            found[key[0]] = distribution(key[0])
            wanted += [(each, ("", *requirement.extras)) for each in found[key[0]].requires or ()]
    return list(found.values())


@pytest.mark.slow
def test_the_wheel_works_in_a_clean_environment(wheel, tmp_path):
    """Clean: of what is installed here, only what the wheel declares is there; pip finds nothing missing."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (site,) = venv.glob("lib/python*/site-packages")
    # Some packages share files.
    files = {str(file): file for package in declared(wheel) for file in package.files}
    for file in files.values():
        if ".." not in file.parts:  # not a command
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            (site / file).symlink_to(file.locate())
    # Downloads nothing: what the wheel requires has to be there.
    pip = [sys.executable, "-m", "pip", "--python", str(venv), "install", "--quiet", "--disable-pip-version-check"]
    installed = subprocess.run([*pip, "--no-index", str(wheel)], capture_output=True, text=True, env=environment)
    assert installed.returncode == 0, installed.stderr

    def run(*arguments):
        command = [str(venv / "bin" / "nas"), *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout

    assert run("--version") == f"nas {nas.__version__}\n"
    assert "mixed" in run("list", "spaces")
    assert "digits: 8x8x1, 10 classes" in run("search", "digits", "--dry-run")
