"""The final stage: the front trained again from scratch with several seeds, and scored on the test split."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nas.config import FinalConfig
from nas.objectives import Objectives
from nas.quantity import counted
from nas.results.pareto import ParetoFront
from nas.results.trial import FinalTraining, TrialRecord, seven_figures
from nas.strategies.evolution import survivors
from nas.tuning.execution import LOOK_SECONDS, Epoch, Executor, Job, Trained, may_try_again, trial_seed

if TYPE_CHECKING:
    from nas.config import ExperimentConfig
    from nas.tuning.folder import SearchFolder
    from nas.tuning.observer import Observer
    from nas.tuning.search import Search

logger = logging.getLogger(__name__)


def candidates(trials: Sequence[TrialRecord], final: FinalConfig, objectives: Objectives) -> list[TrialRecord]:
    """The trials that are trained again, by size: those on the front by their scores, and by what was observed.

    Of more than `final.top` of them, the ends, the best first, and those that stand most alone.

    Args:
        trials: with the scores to expect before the final stage.
        final: how many.
        objectives: of the search.
    """
    seen = {point.number for point in ParetoFront.of((trial.as_observed() for trial in trials), objectives.costs)}
    seen |= {point.number for point in ParetoFront.of(trials, objectives.costs)}
    by_size = sorted(trials, key=lambda trial: trial.parameters)
    front = [trial for trial in by_size if trial.number in seen]
    if final.top == "all-front" or len(front) <= final.top:
        return front
    # Points that stand equally alone, as both ends do, stay in this order.
    best_first = sorted(front, key=lambda point: -point.score)
    chosen = {point.number for point in survivors(best_first, final.top, objectives)}
    return [point for point in front if point.number in chosen]


def missing(chosen: Sequence[TrialRecord], experiment: ExperimentConfig) -> list[tuple[int, int]]:
    """What is still to be trained of the `candidates`: (trial, seed)."""
    return [
        (record.number, seed)
        for record in chosen
        for seed in final_seeds(experiment.seed, record.number, experiment.final.seeds)
        if seed not in {*(training.seed for training in record.finals), *record.failed_finals}
    ]


def final_seeds(search_seed: int, trial: int, count: int) -> list[int]:
    """Seeds other than the one with which the trial was chosen, because that one was lucky."""
    return [(trial_seed(search_seed, trial) + 104_729 * (index + 1)) % 2**31 for index in range(count)]


def run_finals(
    experiment: ExperimentConfig,
    search: Search,
    executor: Executor,
    observers: Sequence[Observer],
    should_stop: Callable[[], bool],
) -> None:
    """Train what is missing of the search's `final_candidates`; each result is durable as soon as it is there.

    So is a failure. As in the search, a crash is tried once more; no later run tries again.

    Args:
        experiment: that is asked for.
        search: whose trials have ended.
        executor: that trains.
        observers: told of every epoch and training.
        should_stop: whether time is over.
    """
    while True:
        search.refresh()
        chosen = search.final_candidates(experiment)
        if should_stop() or not missing(chosen, experiment):
            break
        _run_round(experiment, chosen, search.folder, executor, observers, should_stop)
    failed = [f"trial {record.number} ({reason})" for record in chosen for reason in record.failed_finals.values()]
    if failed:
        logger.warning("%s failed: %s", counted(len(failed), "final training"), "; ".join(failed))


def _run_round(
    experiment: ExperimentConfig,
    chosen: Sequence[TrialRecord],
    folder: SearchFolder,
    executor: Executor,
    observers: Sequence[Observer],
    should_stop: Callable[[], bool],
) -> None:
    trials = {record.number: record for record in folder.trials()}
    waiting = [(number, seed, 1) for number, seed in missing(chosen, experiment)]
    running: dict[int, tuple[int, int, int]] = {}
    free, started = list(range(executor.slots)), 0
    # Trainings of an earlier run of the search included.
    total = experiment.final.seeds * len(chosen)

    def on_epoch(event: Epoch) -> None:
        record = trials[running[event.number][0]]
        for observer in observers:
            observer.on_epoch(record, event.epoch, event.metrics)

    while (waiting or running) and not should_stop():
        while free and waiting:
            number, seed, tries = waiting.pop(0)
            running[started] = (number, seed, tries)
            architecture = trials[number].architecture.to_json()
            epochs = experiment.training.epochs
            how = experiment.with_recipe(trials[number].recipe).training
            job = Job(
                number=started,
                architecture=architecture,
                training=how,
                score=experiment.score.in_training,
                seed=seed,
                epochs=epochs,
                test=True,
                int8=experiment.score.trained is not None,
            )
            executor.submit(free.pop(0), job)
            started += 1
        outcome = executor.next_outcome(LOOK_SECONDS, on_epoch)
        if outcome is None:
            continue
        free.append(outcome.slot)
        number, seed, tries = running.pop(outcome.number)
        if may_try_again(outcome, tries):
            logger.warning("a final training of trial %d is tried again: %s", number, outcome.reason)
            waiting.insert(0, (number, seed, tries + 1))
            continue
        if not isinstance(outcome, Trained):
            folder.journal.final_failed(number, seed, outcome.reason)
            trials[number] = trials[number].with_failed_final(seed, outcome.reason)
            continue
        training = FinalTraining(
            seed=seed,
            val_score=seven_figures(outcome.result.metrics["val_score"]),
            test_score=seven_figures(outcome.result.metrics["test_score"]),
        )
        folder.journal.final(number, training)
        trials[number] = trials[number].with_final(training)
        for observer in observers:
            observer.on_final(trials[number], total - len(waiting) - len(running), total)
