import pickle

import numpy as np
import pytest

from nas.config import TrainingConfig
from nas.errors import NasError
from nas.training import TrainingDivergedError, TrainingStoppedError, evaluate, train
from nas.training.batch_size import training_batch_size, validation_batch_size
from nas.training.result import EpochHistory
from tests.training.conftest import digits_data

LOOPS = pytest.mark.parametrize("loop", ["compiled", "fit"])


def test_a_short_training_learns_and_is_judged_fairly(trained):
    assert trained.metrics["val_score"] > 0.85
    assert trained.epochs == 5
    assert {len(curve) for curve in trained.curves.values()} == {5}
    assert trained.duration_seconds > 0


def test_metrics_are_those_of_the_best_epoch(trained):
    ranked = sorted(
        zip(trained.curves["val_score"], trained.curves["val_loss"], strict=True),
        key=lambda p: (-p[0], p[1]),
    )
    assert (trained.metrics["val_score"], trained.metrics["val_loss"]) == ranked[0]
    for name, curve in trained.curves.items():
        assert trained.metrics[name] == curve[trained.best_epoch - 1]
        assert type(trained.metrics[name]) is float


def test_weights_are_those_of_the_best_epoch_and_the_network_rebuilt_from_them_scores_the_same(network, data, trained):
    assert sum(array.size for array in trained.weights) == network.count.parameters
    again = evaluate(network, trained.weights, data.validation)
    assert again["score"] == pytest.approx(trained.metrics["val_score"])
    assert again["loss"] == pytest.approx(trained.metrics["val_loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("val_score", "val_loss", "best"),
    [
        ([0.5, 0.9, 0.7], [1, 1, 1], 2),
        ([0.5, 0.9, 0.9], [1, 0.4, 0.3], 3),
        ([0.5, 0.9, 0.9], [1, 0.3, 0.4], 2),
        ([0.9, 0.9, 0.9], [1, 1, 1], 1),
        ([0.0, 0.0, 0.0], [3, 2, 9], 2),
    ],
)
def test_the_best_epoch_has_the_highest_score_then_the_lowest_loss(val_score, val_loss, best):
    history = EpochHistory()
    for epoch, (score, loss) in enumerate(zip(val_score, val_loss, strict=True), start=1):
        values = {"score": 1, "loss": 0, "val_score": score, "val_loss": loss}
        history.end_epoch(values, lambda epoch=epoch: [epoch], lambda epoch=epoch: -epoch)

    assert history.best_epoch == best
    assert history.weights == [best]


def test_same_seed_same_training(network, data, quick, trained):
    again = train(network, data, quick, seed=3)
    other = train(network, data, quick, seed=4)

    assert again.curves["loss"] == pytest.approx(trained.curves["loss"], rel=1e-5)
    assert other.curves["loss"] != pytest.approx(trained.curves["loss"], rel=1e-3)


@LOOPS
def test_each_epoch_is_reported(network, data, loop):
    seen = []
    result = train(
        network,
        data,
        TrainingConfig(epochs=2),
        seed=0,
        on_epoch=lambda epoch, values: seen.append((epoch, values)),
        loop=loop,
    )
    assert [epoch for epoch, _ in seen] == [1, 2]
    assert [values["val_loss"] for _, values in seen] == list(result.curves["val_loss"])


@LOOPS
def test_what_on_epoch_raises_ends_the_training(network, data, loop):
    def prune(epoch, values):
        raise LookupError(f"pruned after epoch {epoch}")

    with pytest.raises(LookupError, match="pruned after epoch 1"):
        train(network, data, TrainingConfig(epochs=3), seed=0, on_epoch=prune, loop=loop)


@LOOPS
def test_training_can_be_stopped_between_batches(network, data, loop):
    answers = iter([False, False, True])
    with pytest.raises(TrainingStoppedError, match="stopped in epoch 1"):
        train(network, data, TrainingConfig(epochs=3), seed=0, should_stop=lambda: next(answers), loop=loop)


@LOOPS
def test_divergence_is_an_outcome_with_its_epoch(network, data, loop):
    class Broken:
        """A network whose first weight is not a number."""

        nodes, count, head = staticmethod(network.nodes), network.count, network.head

        def build(self):
            model = network.build()
            kernel = model.trainable_variables[0]
            kernel.assign(kernel * float("nan"))
            return model

    epochs, asked = [], []
    with pytest.raises(TrainingDivergedError, match=r"diverged in epoch 1; the loss is no finite number") as error:
        train(
            Broken(),
            data,
            TrainingConfig(epochs=3),
            seed=0,
            on_epoch=lambda epoch, _: epochs.append(epoch),
            should_stop=lambda: asked.append(None),
            loop=loop,
        )
    assert error.value.epoch == 1
    assert epochs == asked == []  # seen at the first look, not at the end of the epoch


def test_errors_survive_the_way_back_from_a_worker_process():
    for error in (TrainingDivergedError(7), TrainingStoppedError(7)):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.epoch) == (type(error), str(error), 7)


def test_label_smoothing_trains_less_sure_networks_and_still_reports_the_plain_cross_entropy(
    network, data, quick, trained
):
    smoothed = train(network, data, quick.model_copy(update={"label_smoothing": 0.4}), seed=3)
    again = evaluate(network, smoothed.weights, data.validation)

    assert smoothed.metrics["val_loss"] == pytest.approx(again["loss"], rel=1e-4)
    assert smoothed.metrics["loss"] > trained.metrics["loss"] + 0.1


@LOOPS
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_precision_is_local_and_weights_stay_float32(network, data, precision, loop):
    import keras

    policies = []
    result = train(
        network,
        data,
        TrainingConfig(epochs=1, precision=precision),
        seed=0,
        on_epoch=lambda *_: policies.append(keras.config.dtype_policy().name),
        loop=loop,
    )
    assert policies == [precision]
    assert keras.config.dtype_policy().name == "float32"
    assert {array.dtype for array in result.weights} == {np.dtype("float32")}


@LOOPS
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_the_score_is_that_of_the_network_as_it_is_delivered(network, data, precision, loop):
    """In float32. In half precision, with logits of two or three digits, some classes tie and losses are others."""
    result = train(network, data, TrainingConfig(epochs=2, precision=precision), seed=0, loop=loop)
    delivered = evaluate(network, result.weights, data.validation)
    assert result.metrics["val_score"] == delivered["score"]
    assert result.metrics["val_loss"] == pytest.approx(delivered["loss"], rel=1e-5)


@LOOPS
def test_fewer_images_than_a_batch_still_train(network, loop):
    config = TrainingConfig(epochs=1, batch_size=64)
    result = train(network, digits_data(train_images=20), config, seed=0, loop=loop)
    assert result.metrics["loss"] > 0


@pytest.mark.parametrize("replicas", [1, 2, 3, 8])
@pytest.mark.parametrize("images", [16, 25, 63, 64, 65, 1_149])
@pytest.mark.parametrize("wanted", [24, 48, 4_080])
def test_devices_have_equal_shares_of_a_batch(images, wanted, replicas):
    training = training_batch_size(images, wanted, replicas)
    assert replicas <= training <= min(images, wanted)
    assert training % replicas == 0
    most = 4 * wanted
    validation = validation_batch_size(images, wanted, replicas)
    assert validation % replicas == 0
    assert validation < most + replicas
    batches = -(-images // validation)
    assert batches == -(-images // most)
    assert batches * validation - images < batches + replicas * batches  # little is padded


@pytest.mark.parametrize(
    ("images", "wanted", "message"),
    [
        (3, 64, "training split must have at least one image for each of 4 devices; received 3"),
        (
            9,
            66,
            "training.batch_size must be a multiple of the 4 devices of a trial, which have equal shares of a batch; "
            "received 66; use 68",
        ),
    ],
)
def test_what_devices_cannot_share_is_refused(images, wanted, message):
    with pytest.raises(NasError, match=message):
        training_batch_size(images, wanted, 4)
