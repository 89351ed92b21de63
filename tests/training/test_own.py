"""What a program brings to a training: its loss, metrics, optimizer and callbacks."""

import re
import threading
from functools import partial

import numpy as np
import pytest

from nas.config import AugmentationConfig
from nas.errors import NasError
from nas.training import answers_of, rebuild, train
from nas.training.own import Own, each_image
from nas.training.result import MetricError
from tests.training.conftest import digits_data


@pytest.fixture(scope="module")
def keras():
    from nas.devices import import_tensorflow

    import_tensorflow()
    import keras

    return keras


@pytest.fixture(scope="module")
def small():
    return digits_data(train_images=256)


def cross_entropy(targets, outputs):
    import keras

    return keras.losses.sparse_categorical_crossentropy(targets, outputs)


def in_top3(targets, outputs):
    import keras

    return keras.metrics.sparse_top_k_categorical_accuracy(targets, outputs, k=3)


def adam(rate):
    import keras

    return keras.optimizers.Adam(rate)


def test_nothing_is_nothing():
    assert Own.of() is None
    assert Own.of(metrics=[], callbacks=()) is None


@pytest.mark.parametrize("loop", ["compiled", "fit"])
def test_a_loss_takes_the_place_of_the_heads_wherever_it_counts(loop, keras, network, small, quick):
    def tripled(targets, outputs):
        return 3 * cross_entropy(targets, outputs)

    two = quick.model_copy(update={"epochs": 2})
    plain = train(network, small, two, seed=3, loop=loop).curves
    if loop == "compiled":
        same = Own.of(loss=keras.losses.SparseCategoricalCrossentropy())
        for name, curve in train(network, small, two, seed=3, loop=loop, own=same).curves.items():
            assert curve == pytest.approx(plain[name], rel=2e-3)
    scaled = train(network, small, two, seed=3, loop=loop, own=Own.of(loss=tripled)).curves
    # Adam does not see the factor, but what is reported does.
    for name in ("loss", "val_loss"):
        assert scaled[name] == pytest.approx([3 * loss for loss in plain[name]], rel=0.05)


@pytest.mark.parametrize("loop", ["compiled", "fit"])
def test_a_loss_of_the_whole_batch_is_refused(loop, network, small, quick):
    def averaged(targets, outputs):
        from keras import ops

        return ops.mean(cross_entropy(targets, outputs))

    with pytest.raises(NasError) as caught:
        train(network, small, quick, seed=3, loop=loop, own=Own.of(loss=averaged))
    assert str(caught.value) == (
        "loss must return a number an image, of shape (batch,); received one for the whole batch; average over the "
        "other axes only"
    )


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "received None; write it with keras.ops"),
        (0.5, "received 0.5; write it with keras.ops"),
        (np.zeros(3, np.float32), r"received the shape \(3,\); average over the other axes only"),
        (np.zeros((3, 4), np.float32), r"received the shape \(3, 4\); average over the other axes only"),
        (np.zeros((4, 3), np.float32), None),
    ],
)
def test_what_a_loss_returns(returned, message, keras):
    outputs = keras.ops.zeros((4, 10))
    value = keras.ops.convert_to_tensor(returned) if isinstance(returned, np.ndarray) else returned
    if message is None:
        assert each_image(lambda y, p: value, outputs, outputs).shape == (4,)
        return
    with pytest.raises(NasError, match=rf"^loss must return a number an image, of shape \(batch,\); {message}$"):
        each_image(lambda y, p: value, outputs, outputs)


def test_metrics_are_told_each_epoch_of_the_network_as_it_is_delivered(keras, network, small, quick):
    own = Own.of(metrics=[in_top3, keras.metrics.SparseCategoricalCrossentropy(name="my_score")])
    mixed = quick.model_copy(update={"epochs": 2, "augmentation": AugmentationConfig(mixup=0.4)})
    result = train(network, small, mixed, seed=3, own=own)
    assert list(result.curves)[4:] == ["in_top3", "my_score", "val_in_top3", "val_my_score"]
    assert {len(curve) for curve in result.curves.values()} == {2}
    answers = answers_of(network, rebuild(network, result.weights), small.validation.images)
    best = np.argsort(-answers, axis=1)[:, :3]
    assert result.metrics["val_in_top3"] == pytest.approx(
        np.mean((best == small.validation.targets[:, None]).any(axis=1))
    )
    assert result.metrics["val_my_score"] == pytest.approx(result.metrics["val_loss"], rel=1e-4)
    assert result.metrics["val_my_score"] > 1  # a name that ends in "score" and is none
    assert 0.3 < result.metrics["in_top3"] <= 1  # of the images' own targets


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (float("nan"), "a metric must be a finite number; constant is nan in epoch 1"),
        ([0.5, 0.5], "a metric must be one number; constant has the shape (2,)"),
    ],
)
def test_a_metric_that_is_no_number_ends_the_training(bad, message, keras, network, small, quick):
    class Constant(keras.metrics.Metric):
        def update_state(self, y_true, y_pred, sample_weight=None):
            pass

        def result(self):
            return keras.ops.convert_to_tensor(bad)

    with pytest.raises(MetricError) as caught:
        train(network, small, quick, seed=3, own=Own.of(metrics=[Constant(name="constant")]))
    assert str(caught.value) == message


def test_an_optimizer_is_given_the_course_of_the_learning_rate(network, small, quick):
    two = quick.model_copy(update={"epochs": 2})
    plain = train(network, small, two, seed=3, loop="fit")
    assert train(network, small, two, seed=3, own=Own.of(optimizer=adam)).curves == plain.curves


def test_callbacks_are_made_for_each_training_and_may_end_it(keras, network, small, quick):
    told = []

    class Listens(keras.callbacks.Callback):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def on_epoch_end(self, epoch, logs=None):
            told.append((self.name, epoch, sorted(logs)))
            self.model.stop_training = epoch == 1

    own = Own.of(callbacks=[Listens])
    result = train(network, small, quick, seed=3, own=own, epochs=4, name="trial-17")
    logs = ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert told == [("trial-17", 0, logs), ("trial-17", 1, logs)]
    # It is complete, and not on its way to the rung after epoch 4.
    assert (result.epochs, result.checkpoint) == (2, None)
    with pytest.raises(NasError, match=r"that make a keras.callbacks.Callback; .*no_callback\('x'\) made 'x'$"):
        train(network, small, quick, seed=3, own=Own.of(callbacks=[partial(no_callback, "x")]))
    with pytest.raises(NasError, match=r"given its name; .*no_callback failed with TypeError: no_callback\(\) "):
        Own.of(callbacks=[no_callback]).make_callbacks("trial-0")


def no_callback(what, name):
    return what


def test_what_is_packed_comes_out_in_another_process_the_same(network, small, quick):
    shift = 0.25
    own = Own.of(loss=lambda y, p: shift + cross_entropy(y, p), metrics=[in_top3], optimizer=lambda rate: adam(rate))
    one = quick.model_copy(update={"epochs": 1})
    out = Own.unpack(own.packed())
    assert out.identity == own.identity
    assert train(network, small, one, seed=3, own=out).curves == train(network, small, one, seed=3, own=own).curves


def test_what_cannot_be_packed_or_read_is_one_line(monkeypatch):
    lock = threading.Lock()
    with pytest.raises(NasError) as caught:
        Own.of(callbacks=[lambda name: lock]).packed()
    assert str(caught.value) == (
        "loss, metrics, optimizer and callbacks go to worker processes as pickles; received what cannot be pickled "
        "(TypeError: cannot pickle '_thread.lock' object); make it inside the functions, or train in this process "
        "with workers=0"
    )
    packed = Own.of(callbacks=[no_callback]).packed()
    monkeypatch.delattr(f"{__name__}.no_callback")
    with pytest.raises(NasError, match=r"cannot be read in the worker process \(AttributeError: .*\); install their"):
        Own.unpack(packed)


def test_the_identity_is_names_and_configurations(keras):
    own = Own.of(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[in_top3, keras.metrics.SparseTopKCategoricalAccuracy(k=2, name="top2")],
        optimizer=partial(keras.optimizers.SGD, momentum=0.5),
        callbacks=[partial(no_callback, 3, thing=threading.Lock(), other=in_top3)],
    )
    identity = own.identity
    assert re.fullmatch(r"keras\.SparseCategoricalCrossentropy\(.*from_logits=true, .*\)", identity["loss"])
    first, second = identity["metrics"].split(", ", 1)
    assert first == f"{__name__}.in_top3"
    assert re.fullmatch(r'keras\.SparseTopKCategoricalAccuracy\(.*k=2, name="top2"\)', second)
    assert re.fullmatch(r"keras\.SGD\(.*momentum=0.5, nesterov=false, .*\)", identity["optimizer"])
    assert "learning_rate" not in identity["optimizer"]  # that is the search's
    # No address in memory, which would be another one when the search goes on.
    assert identity["callbacks"] == f"{__name__}.no_callback(3, thing=_thread.lock, other={__name__}.in_top3)"
    assert own.needs_fit
    assert not Own.of(loss=cross_entropy).needs_fit


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "mse"}, "loss must be a function of .* or a keras.losses.Loss object; received 'mse'"),
        ({"metrics": ["accuracy"]}, "metrics must be functions .* keras.metrics.Metric objects; received 'accuracy'"),
        ({"metrics": [in_top3, in_top3]}, "must have different names; received two that are called 'in_top3'"),
        ({"metrics": [partial(in_top3)]}, None),
        ({"metrics": [lambda y, p: p]}, "one that nas uses; received '<lambda>'; give it another name"),
        ({"optimizer": "lion"}, "function that makes one of a learning rate, such as .*; received 'lion'"),
        ({"optimizer": no_callback}, "test_own.no_callback failed with TypeError: .* argument: 'name'"),
        ({"optimizer": lambda rate: 3}, "function that makes a Keras optimizer, such as .* made 3"),
        ({"optimizer": lambda rate: adam(rate * 0.1)}, "learning rate's course, .* failed with TypeError"),
        ({"metrics": in_top3}, r"metrics must be a list; received .*in_top3.*; put it into \[ \]"),
        ({"callbacks": no_callback}, r"callbacks must be a list; received .*no_callback.*; put it into \[ \]"),
        ({"callbacks": ["x"]}, r"callbacks are functions that make one for each training, .*; received 'x'"),
    ],
)
def test_what_is_refused_is_told_at_once(arguments, message, keras):
    if message is None:
        assert list(Own.of(**arguments).metrics) == ["partial"]
        return
    with pytest.raises(NasError, match=message):
        Own.of(**arguments)


@pytest.mark.parametrize(
    "name",
    [
        "loss",
        "accuracy",
        "val_accuracy",
        "score",
        "f1",
        "macs",
        "miou",
        "a b",
        "trial",
        "on_front",
        "val_x",
        "test_seeds",
    ],
)
def test_names_that_are_taken_are_refused(name, keras):
    with pytest.raises(NasError, match=rf"not one that nas uses; received '{name}'; give it another name"):
        Own.of(metrics=[keras.metrics.MeanSquaredError(name=name)])


def test_objects_that_trials_would_share_are_refused(keras):
    with pytest.raises(NasError, match="because each training needs its own; received <keras"):
        Own.of(optimizer=keras.optimizers.Lion())
    with pytest.raises(NasError, match=r"callbacks are functions that make one .*; received <keras"):
        Own.of(callbacks=[keras.callbacks.TerminateOnNaN()])
