"""What mutated files do: an error in one line, or what they say is right; never a fault, a hang, a gigabyte.

    nice python benchmarks/fuzz.py [--mutations 5000] [--kinds journal,space] [--seed 0] [--keep DIR]

Every kind of file that somebody else may have written is mutated and read by what reads it: bytes flipped, cut, doubled
and moved, words replaced by those of other places, by numbers without end, by escapes. Half of the journals get right
checksums again. Told are faults (anything but an error in one line, or accepted nonsense), hangs (more than 10 seconds
of CPU) and peaks of memory above 1 GB. Each kind runs in a process of its own. Exits with 1 if there is any.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import multiprocessing
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nas.architecture import Architecture
from nas.benchmark.csv_table import read_table
from nas.cli import main as command
from nas.cli.show import find_architecture
from nas.config import DatasetConfig, load_experiment
from nas.datasets import DatasetSpec, load, peek
from nas.errors import NasError
from nas.files import outside
from nas.files.shipped import find_experiment, find_space
from nas.results.trial import FinalTraining, TrialRecord, TrialStatus
from nas.space import SearchSpace, load_definition
from nas.tracking.store import search_id
from nas.tuning import Plan, Search, SearchFolder

SECONDS, BYTES = 10, 1 << 30
"""Of CPU and of memory, above which a file is a hang or a peak."""

LINE = 3_000
"""Characters of an error that still is a line; lists of all known names are long."""

SPECIALS = [
    *(b"-1", b"0", b"2", b"NaN", b".nan", b".inf", b"1e999", b"1e308", b"9" * 350, b"9" * 5_000, b"0x" + b"f" * 5_000),
    *(b"null", b"true", b"[]", b"{}", b"''", b'""', b"[[1]]", b"{'a': 1}", b"[" * 3_000, b"{a: " * 100, b"1.5", b"1/0"),
    *(
        b"\x1b[31m",
        b"\x00",
        b"\xff\xfe",
        b"\\ud800",
        b"\xe2\x80\xae",
        b"x" * 5_000,
        b"&a [*a, *a]",
        b"!!python/name:os",
    ),
    *(b"[1, 2, 3, 4, 5, 6, 7, 8]", b"65536", b"1000", b"99999999999", b"4096x4096x4", b"mixed", b"<b>", b"\n", b"\t- "),
]
"""What takes the place of a word."""

_WORD = re.compile(rb"[\w.+-]+")


def mutated(content: bytes, rng: random.Random) -> bytes:
    """The content with one to four changes."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        content = rng.choice(_CHANGES)(content, rng)
    return content


def _place(content: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + rng.choice((1, 2, 8, 64, 1_000)))


def _flip(content: bytes, rng: random.Random) -> bytes:
    if not content:
        return content
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]


def _cut(content: bytes, rng: random.Random) -> bytes:
    start, end = _place(content, rng)
    return content[:start] + content[end:] if rng.random() < 0.8 else content[:start]


def _copy(content: bytes, rng: random.Random) -> bytes:
    start, end = _place(content, rng)
    to, _ = _place(content, rng)
    return content[:to] + content[start:end] * rng.choice((1, 1, 1, 50)) + content[to:]


def _insert(content: bytes, rng: random.Random) -> bytes:
    at, _ = _place(content, rng)
    return content[:at] + rng.choice(SPECIALS) + content[at:]


def _replace_word(content: bytes, rng: random.Random) -> bytes:
    words = list(_WORD.finditer(content))
    if not words:
        return content
    word, other = rng.choice(words), rng.choice(words)
    new = other[0] if rng.random() < 0.3 else rng.choice(SPECIALS)
    return content[: word.start()] + new + content[word.end() :]


def _move_line(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    if not lines:
        return content
    line = lines[rng.randrange(len(lines))] if rng.random() < 0.5 else lines.pop(rng.randrange(len(lines)))
    lines.insert(rng.randrange(len(lines) + 1), line)
    return b"".join(lines)


def _noise(content: bytes, rng: random.Random) -> bytes:
    start, end = _place(content, rng)
    return content[:start] + rng.randbytes(end - start) + content[end:]


_CHANGES = (_flip, _cut, _copy, _insert, _replace_word, _replace_word, _replace_word, _move_line, _noise)


def sealed(content: bytes) -> bytes:
    """A journal whose lines have right checksums again."""
    lines = []
    for line in content.split(b"\n"):
        body = re.sub(rb',"crc":"[0-9a-f]{8}"\}$', b"}", line)
        lines.append(body[:-1] + b',"crc":"%08x"}' % zlib.crc32(body) if body.endswith(b"}") else line)
    return b"\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of file.

    Attributes:
        content: of one that is right.
        path: where the mutated one is written.
        read: what reads it; raises a ValueError if it accepts nonsense.
        mutate: how it is changed.
    """

    content: bytes
    path: Path
    read: Callable[[], Any]
    mutate: Callable[[bytes, random.Random], bytes] = mutated


PICTURES = ("png", "jpg", "gif", "tif", "bmp", "webp")
STORED = ("trials.jsonl", "experiment.json", "facts.json", "space.yaml", "search_id", "weights/0.npz")
KINDS = (
    *("experiment", "space", "architecture", "npz", "npz-compressed", "table", "table-compressed", "table-repacked"),
    *(f"picture-{suffix}" for suffix in PICTURES),
    *(f"search {file}" for file in STORED),
    "search sealed",
)


def kinds(folder: Path) -> dict[str, Kind]:
    """Every kind, with what it needs around it, in an empty folder."""
    runs = folder / "runs"
    search = made_search(runs)
    found = {}

    def add(name: str, content: bytes, read: Callable[[Path], Any], file: str = "", **more: Any) -> None:
        path = folder / (file or name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        found[name] = Kind(content=content, path=path, read=lambda: read(path), **more)

    experiment = b"""name: fuzz
description: small
space: tiny
dataset: {name: digits, validation_fraction: 0.2}
objectives: [val_accuracy, parameters]
budget: {max_parameters: 3k, interest: 500..3k}
strategy: random
trials: 4
time_limit: 30m
training: {epochs: 2, batch_size: 32, learning_rate: 0.003}
final: {seeds: 1, top: 2}
"""
    add("experiment", experiment, _read_experiment, "experiment.yaml")
    add("space", find_space("tiny").read_bytes(), _read_space, "space.yaml")
    add("architecture", search.trials()[0].architecture.to_json().encode(), _read_architecture, "network.json")
    pictures = np.random.default_rng(0).integers(0, 256, (20, 6, 5, 3), np.uint8)
    labels = np.arange(20) % 3
    for name, save in (("npz", np.savez), ("npz-compressed", np.savez_compressed)):
        archive = io.BytesIO()
        save(archive, x_train=pictures, y_train=labels, class_names=np.array(["a", "b", "c"]))
        add(name, archive.getvalue(), _read_npz, f"{name}.npz")
    header = "depth,width,parameters,accuracy,accuracy_1,accuracy_2,accuracy@1,macs,cost_seconds\n"
    rows = "".join(f"{n % 4},{n},{n * 90 + 9},0.5,0.4,0.6,0.3,{n * 7},1.5\n" for n in range(1, 20))
    add("table", (header + rows).encode(), _read_table, "table.csv")
    add("table-compressed", gzip.compress((header + rows).encode()), _read_table, "compressed.csv.gz")
    add("table-repacked", gzip.compress((header + rows).encode()), _read_table, "repacked.csv.gz", mutate=_repacked)
    for suffix in PICTURES:
        add(f"picture-{suffix}", _picture(pictures, suffix, folder / suffix), _read_picture, f"{suffix}/a/0.{suffix}")
    name = search.name
    for file in STORED:
        read = {"search_id": lambda path: search_id(path.parent), "weights/0.npz": lambda _: _read_weights(runs, name)}
        content = (search.path / file).read_bytes()
        add(f"search {file}", content, read.get(file, lambda _: _read_search(runs, name)), f"runs/{name}/{file}")
    sealed_again = lambda content, rng: sealed(mutated(content, rng))  # noqa: E731
    journal = (search.path / "trials.jsonl").read_bytes()
    add("search sealed", journal, lambda _: _read_search(runs, name), f"runs/{name}/trials.jsonl", mutate=sealed_again)
    return found


def made_search(runs: Path) -> SearchFolder:
    """A search without a training: two trials that ended, one that stopped, one that failed, one that runs."""
    from nas.training import save_weights

    settings = {"space": "tiny", "strategy": "random", "budget.max_parameters": 3000, "trials": 5, "training.epochs": 3}
    plan = Plan.of(load_experiment(find_experiment("digits"), settings | {"workers": 0}), runs)
    folder = SearchFolder(runs, "digits")
    folder.create(plan.experiment, plan.space_text, plan.facts("nas search digits"))
    for number, architecture in enumerate(each.architecture for each in plan.first_proposals(5)):
        score = 0.5 + number / 10
        folder.journal.start(number, architecture)
        ended = TrialRecord(
            number=number,
            architecture=architecture,
            status=(TrialStatus.COMPLETED, TrialStatus.COMPLETED, TrialStatus.STOPPED, TrialStatus.FAILED)[number % 4],
            metrics={"val_score": score, "val_loss": 1.5},
            curves={"val_score": (0.25, score), "loss": (2.0, 1.0)},
            duration_seconds=1.5,
        )
        if ended.status is TrialStatus.FAILED:
            ended = replace(ended, metrics={}, curves={}, reason="The loss became nan.", log="Traceback")
        if number < 4:
            folder.journal.end(ended)
    folder.journal.final(1, FinalTraining(seed=7, val_score=0.6, test_score=0.55))
    save_weights(folder.weights(0), folder.trials()[0].architecture, [np.zeros((3, 3), np.float32), np.ones(4)])
    search_id(folder.path)
    return folder


def _picture(pixels: np.ndarray, suffix: str, folder: Path) -> bytes:
    """The first of eight in two classes."""
    from PIL import Image

    for number in range(8):
        path = folder / "ab"[number % 2] / f"{number}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[number]).save(path)
    return (folder / "a" / f"0.{suffix}").read_bytes()


def _repacked(content: bytes, rng: random.Random) -> bytes:
    return gzip.compress(mutated(gzip.decompress(content), rng), 1)


def _read_experiment(path: Path) -> None:
    plan = Plan.of(load_experiment(path), path.parent / "none")
    for network in plan.first_proposals(2):
        _check(plan.experiment.budget.admits(network.count), "a proposal outside of the budget")


def _read_space(path: Path) -> None:
    space = SearchSpace(load_definition(path))
    space.size()
    network = space.sample(random.Random(0))
    _check(network in space, "a sample that is not of its space")
    _check(space.fewest_parameters <= network.count.parameters <= space.most_parameters, "a count out of range")
    _told(["space", "show", str(path)])


def _read_architecture(path: Path) -> None:
    network = find_architecture(str(path), path.parent / "none")
    _check(Architecture.from_json(network.to_json()) == network, "a network that is not read back")
    network.summary()


def _read_npz(path: Path) -> None:
    config = DatasetConfig(name=str(path))
    peek(config)
    _check_data(load(config))


def _read_picture(path: Path) -> None:
    config = DatasetConfig(name=str(path.parent.parent), image_size=8)
    peek(config)
    _check_data(load(config))


def _check_data(spec: DatasetSpec) -> None:
    for split in spec.splits.values():
        _check(split.images.shape[1:] == spec.info.input_shape, "images of another shape")
        _check(split.images.dtype == np.uint8, "images of another type")
        _check(0 <= split.targets.min() <= split.targets.max() < len(spec.info.labels), "labels out of range")


def _read_table(path: Path) -> None:
    for row in read_table(path).rows:
        _check(all(0 <= score <= 1 for score in (row.score, *row.observations)), "a score out of range")
        _check(row.parameters >= 1, "a network without parameters")


def _read_search(runs: Path, name: str) -> None:
    search = Search(name, runs)
    trials = search.trials
    budget = search.experiment.budget
    _check(len({trial.architecture.id for trial in trials}) == len(trials), "a network twice")
    for trial in trials:
        _check(trial.architecture.input_shape == search.facts.input_shape, "another input")
        _check(budget.admits(trial.architecture.count), "a network outside of the budget")
        _check(not trial.completed or 0 <= trial.score <= 1, "a score out of range")
    _check(0 <= search.hypervolume <= 1, "a hypervolume out of range")
    _ = search.finished, search.story(), search.description(), search.space, search.task
    if len(search.front):
        _told(["front", name, "--runs-dir", str(runs)])


def _read_weights(runs: Path, name: str) -> None:
    search = Search(name, runs)
    search.weights_of(search.observed_trials[0])


def _told(arguments: list[str]) -> None:
    """Run a command; it must neither fail nor print what a terminal obeys."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = command(arguments)
    _check(code == 0, f"nas {' '.join(arguments)}: {err.getvalue()[:300]}")
    _check("\x1b" not in out.getvalue() + err.getvalue(), "an escape was printed")


class _HangError(BaseException):
    pass


class _FaultError(NasError):
    """What is no error of ours."""


def _check(holds: bool, what: str) -> None:
    """Raises a ValueError for nonsense that was accepted."""
    if not holds:
        raise ValueError(what)


@contextmanager
def _limited() -> Iterator[None]:
    def end(*_: object) -> None:
        raise _HangError

    signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def outcome(kind: Kind, content: bytes) -> str:
    """What becomes of a file: "accepted", "refused", or what is wrong."""
    kind.path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024
    try:
        with _limited(), outside.door(_FaultError, keep=NasError):
            kind.read()
        found = "accepted"
    except _FaultError as error:
        found = f"fault: {error}"
    except NasError as error:
        text = str(error)
        found = "refused"
        if "\n" in text or len(text) > LINE or not text.isprintable():
            found = f"no line: {text[:200]!r}"
    except _HangError:
        found = f"hang: more than {SECONDS} seconds"
    finally:
        kind.path.write_bytes(kind.content)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024
    # A test's process may be large before.
    return f"peak: {peak:,} bytes" if peak > BYTES and peak - before > BYTES // 4 else found


def run(name: str, mutations: int, seed: int, keep: Path | None) -> Counter[str]:
    """Outcomes of one kind; files that did wrong are kept."""
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="nas-fuzz-") as folder:
        os.chdir(folder)
        kind = kinds(Path(folder))[name]
        _check(outcome(kind, kind.content) == "accepted", f"the file that is right: {outcome(kind, kind.content)}")
        for number in range(mutations):
            content = kind.mutate(kind.content, random.Random(f"{seed}/{name}/{number}"))
            what = outcome(kind, content)
            found[what] += 1
            if what not in ("accepted", "refused") and keep is not None and found[what] == 1:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{name.replace('/', '-')}-{number}").write_bytes(content)
        os.chdir("/")
    return found


def _measured(*arguments: Any) -> tuple[Counter[str], float, int]:
    """Outcomes, seconds of CPU, bytes of memory."""
    started = time.process_time()
    found = run(*arguments)
    return found, time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=5_000)
    parser.add_argument("--kinds", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for files that did wrong")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    chosen = [name for name in KINDS if not given.kinds or any(part in name for part in given.kinds.split(","))]
    keep = None if given.keep is None else given.keep.absolute()
    wrong, rows = 0, {}
    for name in chosen:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            found, seconds, peak = pool.submit(_measured, name, given.mutations, given.seed, keep).result()
        bad = {what: count for what, count in found.items() if what not in ("accepted", "refused")}
        wrong += sum(bad.values())
        rows[name] = {**found, "cpu_seconds": round(seconds, 1), "peak_mb": peak // 10**6}
        if not given.json:
            print(
                f"{name:<24} {found['accepted']:>5} accepted {found['refused']:>5} refused {sum(bad.values()):>4} wrong"
                f" {seconds:>7.1f} s {peak // 10**6:>5} MB",
                flush=True,
            )
            for what, count in sorted(bad.items(), key=lambda pair: -pair[1]):
                print(f"    {count:>4} x {what}", flush=True)
    if given.json:
        print(json.dumps(rows, indent=2))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
