"""What a search is going to do, known before its first trial."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import final

from nas.architecture import Architecture
from nas.config import ExperimentConfig
from nas.datasets import DatasetInfo, peek
from nas.datasets.pipeline import check_augmentation
from nas.devices.accelerators import check
from nas.files.shipped import find_space
from nas.objectives import LATENCIES, LATENCY, PARAMETERS
from nas.results.trial import TrialRecord, TrialStatus
from nas.space import SearchSpace, load_space
from nas.strategies import Strategy, make_strategy
from nas.strategies.early_stopping import EarlyStopping, make_early_stopping
from nas.tuning.folder import SearchFacts


def random_numbers(seed: int, trial: int) -> random.Random:
    """Those of a trial's proposal: of the search's seed and its number alone, so that any kill changes nothing."""
    return random.Random(f"{seed}/{trial}")


@final
@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that is known before the first trial; made without TensorFlow.

    Raises:
        NasError: anything in the experiment that cannot work.
    """

    experiment: ExperimentConfig
    info: DatasetInfo
    space: SearchSpace
    strategy: Strategy[Architecture]
    early_stopping: EarlyStopping
    space_text: str

    @classmethod
    def of(cls, experiment: ExperimentConfig) -> Plan:
        """Resolve names, read the data set's shape, check that the budget can be met."""
        check(experiment, experiment.device)
        if experiment.engine == "ray":
            from nas.tuning.ray_cluster import require_ray

            require_ray()
        info = peek(experiment.dataset)
        check_augmentation(info.input_shape, experiment.training.augmentation)
        space = load_space(experiment.space, input_shape=info.input_shape, classes=info.classes)
        strategy = make_strategy(experiment.strategy, space, experiment.budget.budget(), experiment.costs)
        return cls(
            experiment=experiment,
            info=info,
            space=space,
            strategy=strategy,
            early_stopping=make_early_stopping(experiment.early_stopping, experiment.training.epochs, experiment.costs),
            space_text=find_space(experiment.space).read_text(encoding="utf-8"),
        )

    def limits(self, cost: str) -> tuple[float, float]:
        """Between which values of a cost hypervolumes are taken: the space's extremes, or the budget's limits."""
        budget = self.experiment.budget.budget()
        least, most = LATENCIES if cost == LATENCY else self.space.counts(cost)
        if cost in PARAMETERS:
            least = max(least, budget.min_parameters or 0)
        limit = getattr(budget, f"max_{cost}")
        return least, most if limit is None else max(least, min(most, limit))

    def first_proposals(self, count: int) -> list[Architecture]:
        """What the search will try first, if no trial has ended before the last of them begins."""
        records: list[TrialRecord] = []
        for number in range(min(count, self.experiment.trials)):
            proposals = self.strategy.propose(records, 1, random_numbers(self.experiment.seed, number))
            records += [
                TrialRecord(number=number, architecture=proposal, status=TrialStatus.RUNNING) for proposal in proposals
            ]
        return [record.architecture for record in records]

    def facts(self, command: str = "") -> SearchFacts:
        """What is kept of the plan, and of the machine and the versions that it is about to run with."""
        from nas.tuning.provenance import machine, versions

        smallest, largest = map(int, self.limits("parameters"))
        return SearchFacts(
            command=command,
            machine=machine(),
            versions=versions(),
            dataset=self.info.name,
            input_shape=self.info.input_shape,
            labels=self.info.labels,
            smallest=smallest,
            largest=largest,
            limits={name: self.limits(name) for name in self.experiment.costs},
        )
