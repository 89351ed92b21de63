"""One search on disk: its experiment, its space, its journal, the weights of its front."""

from __future__ import annotations

import fcntl
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TypeVar, final

from pydantic import BaseModel, ValidationError

from nas.config import ExperimentConfig
from nas.datasets import DatasetInfo, DatasetSpec
from nas.errors import ECHOED, NasError, printable
from nas.files import outside
from nas.files.durable import write_atomically
from nas.registry import did_you_mean
from nas.results.trial import TrialRecord
from nas.tuning.admitted import Admitted
from nas.tuning.facts import SearchFacts
from nas.tuning.journal import Journal, JournalError, check_version, has_trials
from nas.tuning.sameness import changed_kind, changed_own, changed_settings, changed_splits, is_same_space


class SearchError(NasError):
    """A search that cannot be started, continued or found."""


Model = TypeVar("Model", bound=BaseModel)


@final
class SearchFolder:
    """`RUNS/NAME`: `experiment.json`, `space.yaml`, `facts.json`, `trials.jsonl`, `seconds`, `lock`; `weights/`,
    `evidence/`, `rungs/`, `shipped/` and `predictions/` with a file a trial.
    """

    def __init__(self, runs_dir: Path, name: str) -> None:
        self.runs_dir, self.name = runs_dir, name
        self.path = runs_dir / name
        self._trials = self.path / "trials.jsonl"
        self._seconds = self.path / "seconds"

    @cached_property
    def journal(self) -> Journal:
        """The trials.

        Raises:
            SearchError: there is no such search, or its experiment cannot be read.
        """
        experiment = self.experiment()
        return Journal(self._trials, experiment.score, Admitted(experiment, self.facts()))

    @property
    def exists(self) -> bool:
        """Whether there is a search: also one that has lost its experiment, not yet one that is half made."""
        # A name with a slash, such as ../runs/x, would be another folder's.
        is_name = Path(self.name).name == self.name != ".."
        return is_name and ((self.path / "experiment.json").is_file() or has_trials(self._trials))

    @property
    def data(self) -> Path:
        """Folder of the data as workers map them, while the search runs."""
        return self.path / ".data"

    def kept_weights(self) -> set[int]:
        """Numbers of the trials whose weights are here."""
        return {int(path.stem) for path in self.weights(0).parent.glob("*.npz") if path.stem.isdigit()}

    def weights(self, trial: int) -> Path:
        """Where the weights of a trial on the front, or near it, are."""
        return self.path / "weights" / f"{trial}.npz"

    def evidence(self, trial: int) -> Path:
        """Where the evidence of a trial that has its weights here is, of the validation images."""
        return self.path / "evidence" / f"{trial}.npz"

    def predictions(self, trial: int) -> Path:
        """Where what a trial on the front answers to some validation images is drawn."""
        return self.path / "predictions" / f"{trial}.svg"

    def checkpoint(self, trial: int) -> Path:
        """Where a trial that stopped at a rung goes on from."""
        return self.path / "rungs" / f"{trial}.npz"

    def shipped(self, trial: int) -> Path:
        """Where what was measured of a trial's int8 file is; see `nas.tuning.shipped`."""
        return self.path / "shipped" / f"{trial}.json"

    def create(self, experiment: ExperimentConfig, space_text: str, facts: SearchFacts) -> None:
        """Write what a search is before its first trial; `experiment.json` comes last and makes it one.

        From then on a journal that is missing is an error: a search that goes on gets no new one.

        Raises:
            SearchError: the runs directory cannot be written.
        """
        try:
            (self.path / "weights").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from None
        self.journal = Journal(self._trials, experiment.score, Admitted(experiment, facts))
        if self.exists:
            facts = self._with_data(facts)
        else:
            self.journal.create()
        write_atomically(self.path / "space.yaml", space_text)
        self._write_facts(facts)
        write_atomically(self.path / "experiment.json", experiment.model_dump_json(indent=2) + "\n")

    def experiment(self) -> ExperimentConfig:
        """What the search was started with.

        Raises:
            SearchError: there is no such search, or its file is missing or damaged.
            JournalError: it is from a newer version.
        """
        if not self.exists:
            known = searches(self.runs_dir)
            there = f"there are: {', '.join(known)}" if known else "start one with nas search"
            raise SearchError(
                f"there is no search {self.name!r} in {self.runs_dir}{did_you_mean(self.name, known)}; {there}"
            )
        return self._read("experiment.json", ExperimentConfig)

    def facts(self) -> SearchFacts:
        """What was found out when the search started.

        Raises:
            SearchError: the file is missing or damaged.
        """
        return self._read("facts.json", SearchFacts)

    def _write_facts(self, facts: SearchFacts) -> None:
        write_atomically(self.path / "facts.json", facts.model_dump_json(indent=2) + "\n")

    def _read(self, name: str, model: type[Model]) -> Model:
        path = self.path / name

        def refuse(reason: str, newer: str = "") -> SearchError:
            check_version(self._trials)
            if not path.exists():
                reason = "it is gone, and a search goes on only as what it was started as"
            return SearchError(
                f"{path} cannot be read ({reason}); {newer}restore it from a backup, or start over with --fresh"
            )

        text = outside.read_text(path, refuse)
        with outside.door(refuse, keep=SearchError):
            try:
                return model.model_validate_json(text)
            except ValidationError as error:
                first = error.errors()[0]
                key = printable(".".join(map(str, first["loc"])), most=ECHOED)
                if first["type"] == "extra_forbidden":
                    raise refuse(
                        f"unknown key {key!r}", "upgrade keras-nas if a newer version wrote the file, "
                    ) from None
                raise refuse(f"{key}: {first['msg']}" if key else first["msg"]) from None

    def _unwritable(self, error: OSError) -> SearchError:
        return SearchError(
            f"cannot write to the runs directory {self.runs_dir}: {error.strerror}; make it writable, or give another "
            f"one with --runs-dir"
        )

    def space_text(self) -> str:
        path = self.path / "space.yaml"
        return outside.read_text(
            path, lambda reason: SearchError(f"cannot read {path}: {reason}; restore it from a backup"), outside.YAML
        )

    def trials(self) -> tuple[TrialRecord, ...]:
        """Every trial so far, read from the journal now."""
        return self.journal.read().trials

    def check_whole(self) -> None:
        """Refuse to go on without trials that the journal has lost, such as by a cut between two lines.

        Raises:
            JournalError: it does not know a trial that has left weights or a checkpoint.
        """
        known = len(self.trials())
        files = (*self.weights(0).parent.glob("*.npz"), *self.checkpoint(0).parent.glob("*.npz"))
        lost = [path for path in files if path.stem.isdigit() and int(path.stem) >= known]
        if lost:
            raise JournalError(
                f"{self.journal.path} has lost trials: it knows {known}, and there is {min(lost)}; restore the "
                f"journal from a backup, or start over with --fresh"
            )

    def check_same(
        self, experiment: ExperimentConfig, space_text: str, data: DatasetInfo, own: Mapping[str, str]
    ) -> None:
        """Refuse to continue a search as another one, or on other data.

        Args:
            experiment: that is asked for.
            space_text: the file of its space.
            data: what is known of its images.
            own: what the program brings to each training, as the facts have it.

        Raises:
            SearchError: naming the settings that differ.
        """
        facts = self.facts()
        if not facts.data and not facts.labels_digest and not self.trials():
            return  # The data were never read, perhaps because of a mistake that is mended now.
        changed = changed_settings(self.experiment(), experiment) + changed_own(facts, own)
        if not changed and not is_same_space(self.space_text(), space_text):
            changed = [f"the space {experiment.space!r} offers other decisions than it did"]
        changed = changed or changed_kind(facts, data)
        if changed:
            raise SearchError(
                f"the search {self.name!r} exists with other settings ({'; '.join(changed)}); give another --name, or "
                f"--fresh to start over"
            )

    def check_data(self, data: DatasetSpec) -> None:
        """Refuse to go on if an image or a target of a split has changed since the search began, or its place.

        Raises:
            SearchError: which splits are not the same.
        """
        facts = self.facts()
        changed = changed_splits(facts, data)
        if changed:
            which = " and ".join(filter(None, (", ".join(changed[:-1]), changed[-1])))
            raise SearchError(
                f"the search {self.name!r} was started with other {which} images of {facts.dataset}: "
                f"some were changed, added, removed, renamed or given other targets; restore them, give another "
                f"--name, or --fresh to start over"
            )

    def keep_data(self, data: DatasetSpec) -> None:
        """Keep what the data are, if it is not known yet."""
        facts = self.facts()
        if not facts.data:
            now = {name: split.digest for name, split in data.splits.items()}
            self._write_facts(facts.model_copy(update={"data": now}))

    @property
    def seconds(self) -> float:
        """For which the search has run, all parts together but for those that were killed; 0 if it is not known."""
        try:
            seconds = float(outside.read_text(self._seconds, SearchError))
        except (SearchError, ValueError):
            return 0.0
        return seconds if 0 <= seconds < math.inf else 0.0

    def add_seconds(self, seconds: float) -> None:
        """Keep for how long the search has run once more."""
        write_atomically(self._seconds, f"{self.seconds + seconds:.1f}\n")

    def _with_data(self, facts: SearchFacts) -> SearchFacts:
        """New facts with what is known of the data since the search began, and their name, which MLflow has, too."""
        old = self.facts()
        kept = {"dataset": old.dataset, "data": old.data, "labels_digest": old.labels_digest}
        return facts.model_copy(update=kept)

    def set_aside(self) -> Path:
        """Move the search out of the way; its new place."""
        number = 1
        while (target := self.runs_dir / f"{self.name}.{number}").exists():
            number += 1
        self.path.rename(target)
        return target

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the search alone; the lock ends with the process, however it ends.

        What a killed process was writing is removed first.

        Raises:
            SearchError: another process holds it, or the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # Unbuffered: what a full disk refuses must not be written once more when the file is closed.
            file = (self.path / "lock").open("a+b", buffering=0)
        except OSError as error:
            raise self._unwritable(error) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Its holder may just have set the search aside, this lock with it.
                if not os.path.samestat(os.fstat(file.fileno()), (self.path / "lock").stat()):
                    raise BlockingIOError
            except OSError:
                file.seek(0)
                holder = file.read().decode(errors="replace").strip() or "unknown"
                raise SearchError(
                    f"the search {self.name!r} is being run by process {holder}; wait for it, or give another --name"
                ) from None
            try:
                file.truncate(0)
                file.write(f"{os.getpid()}\n".encode())
            except OSError as error:
                raise self._unwritable(error) from None
            self._sweep()
            yield

    def _sweep(self) -> None:
        """Remove the copy of the data and the drafts of files: who holds the lock writes none yet."""
        shutil.rmtree(self.data, ignore_errors=True)
        for pattern in (
            ".*.json.new",
            ".*.yaml.new",
            ".*.jsonl.new",
            "weights/.*.npz.*",
            "evidence/.*.npz.*",
            "rungs/.*.npz.*",
            "shipped/.*.json.new",
            "predictions/.*.svg.new",
        ):
            for draft in self.path.glob(pattern):
                with suppress(OSError):
                    draft.unlink()


def searches(runs_dir: Path) -> list[str]:
    """Names of the searches in a runs directory."""
    files = (*runs_dir.glob("*/experiment.json"), *runs_dir.glob("*/trials.jsonl"))
    return sorted(name for name in {path.parent.name for path in files} if SearchFolder(runs_dir, name).exists)
