"""Everything that can happen to a search, one after the other; in the end it is the undisturbed one.

    python benchmarks/chaos.py [--seed 0] [--kills 20]        # ten minutes on two cores

A search of the digits with two workers and a final stage is killed at random moments (SIGKILL to all its processes).
Between two attempts its runs folder is moved, or exports, reports and fronts of it are killed; attempts run while the
folder is read-only (where a bind mount can be made), with the clock a day ahead or behind (where `faketime` is
installed), and with tracking servers that drop each connection or want a password. In the end every trial, every final
training and every weight must be that of the undisturbed search, MLflow must have one finished run a trial, and beside
the search nothing may be left. The strategy is `random`, whose proposals do not depend on which worker was faster.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

SEARCH = [
    *("search", "digits", "--space", "tiny", "--strategy", "random", "--workers", "2", "--max-params", "3k"),
    *("--trials", "10", "--epochs", "6", "--set", "final.seeds=2"),
]
SECONDS = (3.0, 22.0)
"""After which an attempt is killed: it takes about five until the first trial begins."""

WAYS = ("plain", "moved", "read-only", "clock", "dropping", "password", "export", "report", "front")


def start(arguments: list[str], prefix: list[str]) -> subprocess.Popen[bytes]:
    command = [*prefix, sys.executable, "-c", "import sys; from nas.cli import run; sys.exit(run())", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


def attempt(arguments: list[str], seconds: float | None = None, prefix: list[str] | None = None) -> int | None:
    """Run a command line, and kill it after so many seconds; its exit code, or None if it was killed."""
    process = start(arguments, prefix or [])
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None
    if process.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}: {out.decode()[-2_000:]}")
    if b"Traceback" in out:
        raise SystemExit(f"{' '.join(arguments)} ended in a fault: {out.decode()[-2_000:]}")
    return process.returncode


@contextmanager
def server(answer: bytes) -> Iterator[str]:
    """A server on this machine that answers each connection with these bytes, and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    if answer:
                        connection.recv(65_536)
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def read_only(folder: Path) -> list[str]:
    """What a command runs under so that it cannot write into a folder; nothing where that cannot be had."""
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    prefix = ["unshare", "--mount", "sh", "-c", script, str(folder)]
    able = (
        shutil.which("unshare") and not subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode
    )
    return prefix if able else []


def state(folder: Path) -> dict[str, Any]:
    """Of a finished search: what must be the same, whatever happened on the way."""
    from nas.tuning import Search

    search = Search(folder.name, folder.parent)
    trials = {
        trial.number: (
            trial.architecture.id,
            trial.status.value,
            dict(trial.curves),
            {name: value for name, value in trial.metrics.items() if name != "expected_score"},
            sorted((final.seed, final.val_score, final.test_score) for final in trial.finals),
        )
        for trial in search.trials
    }
    weights = {
        path.name: [array.tobytes() for array in np.load(path).values()]
        for path in sorted((folder / "weights").glob("*.npz"))
    }
    return {"trials": trials, "front": [point.number for point in search.front], "weights": weights}


def in_mlflow(runs_dir: Path) -> Counter[str]:
    """How many runs of trials have which status."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{runs_dir / 'mlflow.db'}")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found = client.search_runs(experiments, "tags.`nas.role` = 'trial'")
    numbers = Counter(run.data.tags["nas.trial"] for run in found)
    if set(numbers.values()) - {1}:
        raise SystemExit(f"trials have several runs: {numbers}")
    return Counter(run.info.status for run in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=20)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    done: Counter[str] = Counter()
    with (
        tempfile.TemporaryDirectory() as scratch,
        server(b"") as dropping,
        server(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n") as asking,
    ):
        root = Path(scratch)
        attempt([*SEARCH, "--runs-dir", str(root / "calm")])
        place = root / "0"
        place.mkdir()
        ended = False
        while done["kills"] < given.kills:
            name = rng.choice(
                ["plain", "moved", "read-only", "clock", "dropping", "password", "export", "report", "front"]
            )
            arguments, prefix = [*SEARCH, "--runs-dir", str(place)], []
            if name == "moved":
                moved = root / str(int(place.name) + 1)
                place.rename(moved)
                place, arguments = moved, [*SEARCH, "--runs-dir", str(moved)]
            elif name == "read-only":
                prefix = read_only(place)
            elif name == "clock":
                prefix = ["faketime", "-f", rng.choice(["+1d", "-1d"])] if shutil.which("faketime") else []
            elif name == "dropping":
                arguments += ["--tracking-uri", dropping]
            elif name == "password":
                arguments += ["--tracking-uri", asking]
            elif name in ("export", "report", "front"):
                to = {
                    "export": ["--to", str(root / "model")],
                    "report": ["--to", str(root / "report.html")],
                    "front": [],
                }
                arguments = [name, "digits", *to[name], "--runs-dir", str(place)]
            if name in ("read-only", "clock") and not prefix:
                done[f"{name} (cannot be had here)"] += 1
                continue
            code = attempt(arguments, rng.uniform(*SECONDS) / (3 if arguments[0] != "search" else 1), prefix)
            done[name] += 1
            done["kills"] += code is None
            ended = ended or (code == 0 and arguments[0] == "search")
            print(f"{name}: {'killed' if code is None else f'ended with {code}'}", file=sys.stderr, flush=True)
            if code is not None and ended and arguments[0] == "search" and name == "plain":
                # Nothing is left to kill there: begin a second life of the same search elsewhere.
                place = root / str(int(place.name) + 1)
                place.mkdir()
                ended = False
        while attempt([*SEARCH, "--runs-dir", str(place)]) != 0:
            time.sleep(1)
        attempt(["sync", "digits", "--runs-dir", str(place)])
        attempt(["export", "digits", "--to", str(root / "model"), "--runs-dir", str(place)])
        calm, wild = state(root / "calm" / "digits"), state(place / "digits")
        for kind in ("trials", "weights"):
            for key in sorted(calm[kind].keys() | wild[kind].keys()):
                if calm[kind].get(key) != wild[kind].get(key):
                    raise SystemExit(f"{kind} {key} differ: {calm[kind].get(key)}\n{wild[kind].get(key)}"[:4_000])
        if calm["front"] != wild["front"]:
            raise SystemExit(f"fronts differ: {calm['front']}, {wild['front']}")
        statuses = in_mlflow(place)
        if statuses != Counter({"FINISHED": len(calm["trials"])}):
            raise SystemExit(f"MLflow has {dict(statuses)}")
        left = [path.name for path in root.iterdir() if path.name.startswith(".")]
        left += [path.name for path in (place / "digits").rglob(".*")]
        if left:
            raise SystemExit(f"left behind: {left}")
    print(f"as undisturbed, after {dict(done)}")


if __name__ == "__main__":
    main()
