"""A search space for a Keras Tuner of your own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nas.architecture import Architecture, Budget, BudgetError
from nas.architecture.blocks import Block
from nas.space import SearchSpace
from nas.space.decisions import Choice
from nas.tasks import TASKS

if TYPE_CHECKING:
    import keras
    import keras_tuner


def make_hypermodel(
    space: SearchSpace, budget: Budget | None = None, *, learning_rate: float = 3e-3, batch_norm_momentum: float = 0.9
) -> keras_tuner.HyperModel:
    """A `keras_tuner.HyperModel` that builds networks of the space, every one inside the budget.

    Each decision of the space is one `hp.Choice`. A value that would leave the budget, or a block that does not fit
    the map that reaches it, is replaced by the next one that does, so that no trial is spent on a network outside.

    Args:
        space: what to build.
        budget: limits that hold for every model.
        learning_rate: of Adam.
        batch_norm_momentum: as in `Architecture.build`.

    Raises:
        BudgetError: nothing in the space meets the budget.
    """
    import keras
    import keras_tuner

    limits = budget or Budget()
    space.check(limits)

    class SpaceHyperModel(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> keras.Model:
            architecture = decide(space, limits, hp)
            head = architecture.head
            model = architecture.build(batch_norm_momentum=batch_norm_momentum)
            model.compile(
                optimizer=keras.optimizers.Adam(learning_rate),
                loss=head.keras_loss(label_smoothing=0.0),
                metrics=[TASKS[head.task].keras_metric(head.answers)],
            )
            return model

    return SpaceHyperModel(name=space.name)


def decide(space: SearchSpace, budget: Budget, hp: Any) -> Architecture:
    """The architecture that hyperparameters describe.

    Args:
        space: where the decisions come from.
        budget: limits.
        hp: `keras_tuner.HyperParameters`, asked for one `Choice` a decision.
    """
    from nas.space.sampling import allowed, architecture

    decisions = space.decisions
    state, parameters, macs, place = decisions.start, 0, 0, 0
    blocks: list[Block] = []
    while not decisions.is_end(state):
        stage = space.definition.stages[state.stage]
        place = place + 1 if state.repeats else 0
        name = f"{stage.name}/{'skip' if state.repeats < 0 else place}" if state.repeats else stage.name
        everything = decisions.labels(state)
        wanted = hp.Choice(name, everything) if len(everything) > 1 else everything[0]
        choices = allowed(decisions, state, budget, parameters, macs, budget.max_parameters)
        if not choices:
            raise BudgetError(f"each limit of {budget} can be met, but not all of them together after {blocks}")
        step = _nearest(choices, everything, wanted).step
        parameters, macs = parameters + step.parameters, macs + step.macs
        if step.block is not None:
            blocks.append(step.block)
        state = step.to
    return architecture(decisions, tuple(blocks))


def _nearest(choices: list[Choice], labels: list[str], wanted: str) -> Choice:
    """The wanted choice, or the next one in order that may be taken."""
    order = {label: number for number, label in enumerate(labels)}
    start = order[wanted]
    return min(choices, key=lambda choice: (order[choice.step.label] - start) % len(order))
