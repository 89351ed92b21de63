"""The final stage: the front trained again from scratch with several seeds, and scored on the test split."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nas.config import FinalConfig
from nas.objectives import Objectives
from nas.quantity import counted
from nas.results.pareto import ParetoFront
from nas.results.trial import FinalTraining, TrialRecord, seven_figures
from nas.strategies.evolution import survivors
from nas.tuning.execution import LOOK_SECONDS, Epoch, Executor, Job, Trained, may_try_again, trial_seed
from nas.tuning.teacher import how_taught, teacher_of

if TYPE_CHECKING:
    from nas.config import ExperimentConfig
    from nas.training.distillation import Teacher
    from nas.training.own import Own
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


class Missing(NamedTuple):
    """A training of the final stage: of a trial, with a seed, and by a teacher or not."""

    trial: int
    seed: int
    taught: bool = False


def missing(chosen: Sequence[TrialRecord], experiment: ExperimentConfig) -> list[Missing]:
    """What is still to be trained of the `candidates`: all without a teacher first."""
    plain, taught = [], []
    for record in chosen:
        for seed in final_seeds(experiment.seed, record.number, experiment.final.seeds):
            if seed not in {*(training.seed for training in record.finals), *record.failed_finals}:
                plain.append(Missing(record.number, seed))
            ended = {*((each.teacher, each.seed) for each in record.taught), *record.failed_taught}
            if experiment.final.teacher != "none" and not any(
                seed == each and is_by(teacher, experiment.final) for teacher, each in ended
            ):
                taught.append(Missing(record.number, seed, taught=True))
    return [*plain, *taught]


def is_by(teacher: str, final: FinalConfig) -> bool:
    """Whether trainings with this teacher are those that are asked for."""
    who, how = teacher.removesuffix(how_taught(final)), teacher.endswith(how_taught(final))
    return how and (who.startswith("trial ") if final.teacher == "best" else who == Path(final.teacher).name)


def final_seeds(search_seed: int, trial: int, count: int) -> list[int]:
    """Seeds other than the one with which the trial was chosen, because that one was lucky."""
    return [(trial_seed(search_seed, trial) + 104_729 * (index + 1)) % 2**31 for index in range(count)]


def run_finals(
    experiment: ExperimentConfig,
    search: Search,
    executor: Executor,
    observers: Sequence[Observer],
    should_stop: Callable[[], bool],
    own: Own | bytes | None = None,
) -> None:
    """Train what is missing of the search's `final_candidates`; each result is durable as soon as it is there.

    So is a failure. As in the search, a crash is tried once more; no later run tries again.

    Args:
        experiment: that is asked for.
        search: whose trials have ended.
        executor: that trains.
        observers: told of every epoch and training.
        should_stop: whether time is over.
        own: what the user brings.
    """
    while True:
        search.refresh()
        chosen = search.final_candidates(experiment)
        if should_stop() or not missing(chosen, experiment):
            break
        teacher = teacher_of(search, experiment) if any(each.taught for each in missing(chosen, experiment)) else None
        _run_round(experiment, chosen, search.folder, executor, observers, should_stop, teacher, own)
    failed = [
        f"trial {record.number} ({reason})"
        for record in chosen
        for reason in (
            *record.failed_finals.values(),
            *(reason for (teacher, _), reason in record.failed_taught.items() if is_by(teacher, experiment.final)),
        )
    ]
    if failed:
        logger.warning("%s failed: %s", counted(len(failed), "final training"), "; ".join(failed))


def _run_round(
    experiment: ExperimentConfig,
    chosen: Sequence[TrialRecord],
    folder: SearchFolder,
    executor: Executor,
    observers: Sequence[Observer],
    should_stop: Callable[[], bool],
    teacher: Teacher | None,
    own: Own | bytes | None,
) -> None:
    trials = {record.number: record for record in folder.trials()}
    waiting = [(each, 1) for each in missing(chosen, experiment)]
    running: dict[int, tuple[Missing, int]] = {}
    free, started = list(range(executor.slots)), 0
    # Trainings of an earlier run of the search included.
    total = experiment.final.seeds * len(chosen) * (1 if experiment.final.teacher == "none" else 2)

    def on_epoch(event: Epoch) -> None:
        record = trials[running[event.number][0].trial]
        for observer in observers:
            observer.on_epoch(record, event.epoch, event.metrics)

    while (waiting or running) and not should_stop():
        while free and waiting:
            (number, seed, taught), tries = running[started] = waiting.pop(0)
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
                teacher=teacher if taught else None,
                test=True,
                int8=experiment.score.trained is not None,
                own=own,
                name=f"trial-{number}-seed-{seed}{'-taught' if taught else ''}",
            )
            executor.submit(free.pop(0), job)
            started += 1
        outcome = executor.next_outcome(LOOK_SECONDS, on_epoch)
        if outcome is None:
            continue
        free.append(outcome.slot)
        wanted, tries = running.pop(outcome.number)
        number, seed, taught = wanted
        by = teacher.name if taught and teacher is not None else ""
        if may_try_again(outcome, tries):
            logger.warning("a final training of trial %d is tried again: %s", number, outcome.reason)
            waiting.insert(0, (wanted, tries + 1))
            continue
        if not isinstance(outcome, Trained):
            folder.journal.final_failed(number, seed, outcome.reason, by)
            trials[number] = trials[number].with_failed_final(seed, outcome.reason, by)
            continue
        training = FinalTraining(
            seed=seed,
            val_score=seven_figures(outcome.result.metrics["val_score"]),
            test_score=seven_figures(outcome.result.metrics["test_score"]),
            teacher=by,
        )
        folder.journal.final(number, training)
        trials[number] = trials[number].with_final(training)
        for observer in observers:
            observer.on_final(trials[number], total - len(waiting) - len(running), total)
