"""What a program brings to each training: a loss, metrics, an optimizer and callbacks of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

from nas.architecture.keras_types import KerasLoss, KerasMetric, KerasOptimizer, Tensor
from nas.errors import NasError, shown
from nas.objectives import COSTS, SCORES
from nas.training.identity import configured, name_of

Loss = Callable[[Tensor, Tensor], Tensor]
"""Of (targets, outputs): a number an image, or several that are averaged."""

_RESERVED = {
    *("loss", "plain_loss", "evidence", "epochs", "depth", "max_channels", "train_seconds", "duration_seconds"),
    *("trial", "status", "on_front", "architecture"),
}
"""What else stands beside metrics, in MLflow and in tables."""

_PREFIXES = ("val_", "test_", "final_")
"""Of what is made of a metric: two names must not make one."""

_PROBED = 0.0123
"""Learning rate of the optimizer that is made to see what it is."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Own:
    """Made by `Own.of`. Optimizers, metrics and callbacks keep state, so each training makes its own.

    Attributes:
        loss: in place of the head's; None: the head's.
        metrics: by name, what makes each.
        optimizer: makes one of a learning rate or its course; None: as `training` says.
        callbacks: each makes one of the training's name.
        identity: what is known of each, by argument: qualified names, and the configurations of Keras' objects.
    """

    loss: Loss | None
    metrics: Mapping[str, Callable[[], KerasMetric]]
    optimizer: Callable[[Any], KerasOptimizer] | None
    callbacks: tuple[Callable[[str], Any], ...]
    identity: Mapping[str, str]

    @classmethod
    def of(
        cls,
        *,
        loss: Loss | KerasLoss | None = None,
        metrics: Sequence[Any] = (),
        optimizer: Callable[[Any], KerasOptimizer] | None = None,
        callbacks: Sequence[Callable[[str], Any]] = (),
    ) -> Own | None:
        """What the arguments of `nas.search` of the same names say; None if they say nothing.

        Raises:
            NasError: an object that trials would share, a name that is taken, or something else altogether.
        """
        if loss is None and optimizer is None and not metrics and not callbacks:
            return None
        from nas.devices import import_tensorflow

        for name, several in {"metrics": metrics, "callbacks": callbacks}.items():
            if not isinstance(several, list | tuple):
                raise NasError(f"{name} must be a list; received {shown(several)}; put it into [ ]")
        import_tensorflow("tensorflow", "jax")
        identity: dict[str, str] = {}
        if loss is not None:
            loss, identity["loss"] = _loss(loss)
        made = _metrics(metrics)
        if made:
            identity["metrics"] = ", ".join(text for _, text in made.values())
        if optimizer is not None:
            identity["optimizer"] = _probed(optimizer)
        for make in callbacks:
            _check_callback(make)
        if callbacks:
            identity["callbacks"] = ", ".join(map(name_of, callbacks))
        return cls(
            loss=loss,
            metrics={name: make for name, (make, _) in made.items()},
            optimizer=optimizer,
            callbacks=tuple(callbacks),
            identity=identity,
        )

    @property
    def needs_fit(self) -> bool:
        """Whether only Keras' own `fit` can train with it; the compiled loop takes a loss."""
        return bool(self.metrics or self.optimizer or self.callbacks)

    def make_callbacks(self, training: str) -> list[Any]:
        """Those of a training, by its name.

        Raises:
            NasError: a function made something else.
        """
        import keras

        made = []
        for make in self.callbacks:
            try:
                callback = make(training)
            except Exception as error:
                raise NasError(
                    f"callbacks are functions that make one for each training, given its name; {name_of(make)} failed "
                    f"with {type(error).__name__}: {error}"
                ) from error
            if not isinstance(callback, keras.callbacks.Callback):
                raise NasError(
                    f"callbacks are functions that make a keras.callbacks.Callback; {name_of(make)} made "
                    f"{shown(callback)}"
                )
            made.append(callback)
        return made

    def packed(self) -> bytes:
        """For another process, which `unpack` takes it out in.

        Raises:
            NasError: it cannot leave this one.
        """
        import cloudpickle

        try:
            return bytes(
                cloudpickle.dumps((self.loss, dict(self.metrics), self.optimizer, self.callbacks, dict(self.identity)))
            )
        except Exception as error:  # noqa: BLE001 - pickling runs whatever the objects define
            raise NasError(
                f"loss, metrics, optimizer and callbacks go to worker processes as pickles; received what cannot be "
                f"pickled ({type(error).__name__}: {error}); make it inside the functions, or train in this process "
                f"with workers=0"
            ) from None

    @classmethod
    def unpack(cls, packed: bytes) -> Own:
        """What `packed` gave; only for bytes of the process that searches.

        Raises:
            NasError: a module that it needs is not here.
        """
        import cloudpickle

        try:
            loss, metrics, optimizer, callbacks, identity = cloudpickle.loads(packed)
        except Exception as error:  # noqa: BLE001 - unpickling imports whatever the functions come from
            raise NasError(
                f"loss, metrics, optimizer and callbacks cannot be read in the worker process ({type(error).__name__}: "
                f"{error}); install their modules there, or define them in the script itself"
            ) from None
        return cls(loss=loss, metrics=metrics, optimizer=optimizer, callbacks=callbacks, identity=identity)


def each_image(loss: Loss, targets: Tensor, outputs: Tensor) -> Tensor:
    """A loss of one's own as the head's are: `(batch,)`.

    Raises:
        NasError: it has averaged over the batch, or returned something else altogether.
    """
    from keras import ops

    losses = loss(targets, outputs)
    rule = "loss must return a number an image, of shape (batch,)"
    if not ops.is_tensor(losses):
        raise NasError(f"{rule}; received {shown(losses)}; write it with keras.ops")
    losses = ops.cast(losses, "float32")
    if len(losses.shape) == 0:
        raise NasError(f"{rule}; received one for the whole batch; average over the other axes only")
    # Of a batch of unknown size, a result of unknown size.
    if losses.shape[0] is not None and losses.shape[0] != outputs.shape[0]:
        raise NasError(f"{rule}; received the shape {tuple(losses.shape)}; average over the other axes only")
    return ops.mean(losses, axis=tuple(range(1, len(losses.shape)))) if len(losses.shape) > 1 else losses


def in_place(metric: KerasMetric, own_targets: Callable[[Tensor], Tensor]) -> KerasMetric:
    """The same metric for batches whose targets hold more than the images' own."""
    import keras

    class OfOwnTargets(keras.metrics.Metric):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name=metric.name)
            self.metric = metric

        def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
            self.metric.update_state(own_targets(y_true), y_pred, sample_weight=sample_weight)

        def result(self) -> Tensor:
            return self.metric.result()

        def reset_state(self) -> None:
            self.metric.reset_state()

    return OfOwnTargets()


def _loss(loss: Any) -> tuple[Loss, str]:
    import keras

    if isinstance(loss, keras.losses.Loss):
        return loss.call, configured(loss)
    if callable(loss) and not isinstance(loss, type):
        return loss, name_of(loss)
    raise NasError(
        f"loss must be a function of (targets, outputs) or a keras.losses.Loss object; received {shown(loss)}"
    )


def _metrics(metrics: Sequence[Any]) -> dict[str, tuple[Callable[[], KerasMetric], str]]:
    """By name: what makes each, and what it is."""
    import keras

    found: dict[str, tuple[Callable[[], KerasMetric], str]] = {}
    for metric in metrics:
        if isinstance(metric, keras.metrics.Metric):
            name, text = metric.name, configured(metric, named=True)
            make = partial(type(metric).from_config, metric.get_config())
            try:
                make()
            except Exception as error:  # noqa: BLE001 - from_config runs the class' own code
                raise NasError(
                    f"each training makes its metrics anew from their configuration; {name!r} cannot be made so "
                    f"({type(error).__name__}: {error}); give it a get_config() with the arguments of its class"
                ) from None
        elif callable(metric) and not isinstance(metric, type):
            name, text = getattr(metric, "__name__", type(metric).__name__), name_of(metric)
            make = partial(_mean, metric, name)
        else:
            raise NasError(
                f"metrics must be functions of (targets, outputs) or keras.metrics.Metric objects; received "
                f"{shown(metric)}"
            )
        if not re.fullmatch(r"\w+", name) or _is_taken(name):
            raise NasError(
                f"the name of a metric must be letters, digits and _, and not one that nas uses; received {name!r}; "
                f"give it another name"
            )
        if name in found:
            raise NasError(f"metrics must have different names; received two that are called {name!r}")
        found[name] = make, text
    return found


def _is_taken(name: str) -> bool:
    columns = (name, f"val_{name}")
    return (
        name in _RESERVED | COSTS.keys()
        or name.startswith(_PREFIXES)
        or any(
            score.spelled(column) != column or score.inner(column) != column
            for score in SCORES.values()
            for column in columns
        )
    )


def _mean(function: Callable[..., Tensor], name: str) -> KerasMetric:
    import keras

    return keras.metrics.MeanMetricWrapper(function, name=name)


def _probed(optimizer: Any) -> str:
    """What the function makes.

    Raises:
        NasError: no optimizer, or it is one.
    """
    import keras

    hint = "such as keras.optimizers.Lion, or lambda rate: keras.optimizers.Lion(rate, beta_1=0.95)"
    if isinstance(optimizer, str | keras.optimizers.Optimizer) or not callable(optimizer):
        raise NasError(
            f"optimizer must be a function that makes one of a learning rate, {hint}, because each training needs its "
            f"own; received {shown(optimizer)}"
        )
    # A course, as in training: what a function does to a number may fail with it.
    course = keras.optimizers.schedules.CosineDecay(_PROBED, decay_steps=1)
    try:
        made = optimizer(course)
    except Exception as error:  # noqa: BLE001 - the function is the user's
        raise NasError(
            f"optimizer must be a function that makes one of a learning rate's course, {hint}; {name_of(optimizer)} "
            f"failed with {type(error).__name__}: {error}"
        ) from None
    if not isinstance(made, keras.optimizers.Optimizer):
        raise NasError(
            f"optimizer must be a function that makes a Keras optimizer, {hint}; {name_of(optimizer)} made "
            f"{shown(made)}"
        )
    return configured(made, without=keras.optimizers.schedules.serialize(course))


def _check_callback(make: Any) -> None:
    import keras

    if isinstance(make, keras.callbacks.Callback) or not callable(make):
        raise NasError(
            f"callbacks are functions that make one for each training, given its name, such as lambda name: "
            f'keras.callbacks.CSVLogger(f"{{name}}.csv"); received {shown(make)}'
        )
