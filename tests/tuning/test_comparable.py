"""What may be compared: searches on the same images, for the same objectives, measured on one machine."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from nas.config import load_experiment
from nas.errors import NasError
from nas.files.shipped import find_experiment
from nas.objectives import LATENCY, MACS, PARAMETERS, Objectives
from nas.tasks import DEFAULT_TASK
from nas.tuning import compare
from nas.tuning.comparable import ALIKE, differences
from tests.tracking.examples import trial


@dataclass
class Searched:
    """What a comparison asks of a search."""

    name: str
    dataset: str = "digits"
    machine: str = "one"
    costs: tuple = (PARAMETERS,)
    interest: tuple = (100, 9_000)
    floor: float = 0.1
    finest: float = 0.001
    validation: str = ""

    @property
    def facts(self):
        data = {"validation": self.validation} if self.validation else {}
        return SimpleNamespace(dataset=self.dataset, input_shape=(8, 8, 1), machine=self.machine, data=data)

    @property
    def experiment(self):
        return SimpleNamespace(objectives=("val_accuracy", *(cost.name for cost in self.costs)))

    @property
    def objectives(self):
        interest = dict.fromkeys(self.costs, self.interest)
        return Objectives(score=DEFAULT_TASK.score, interest=interest, floor=self.floor, finest=self.finest)

    @property
    def trials(self):
        return (trial(0, 0.9),)


def test_ranges_hold_those_of_all():
    compared = compare([Searched("a", interest=(100, 500), finest=0.01), Searched("b", interest=(50, 300), floor=0.0)])
    shared = compared.objectives
    assert (shared.interest, shared.floor, shared.finest) == ({PARAMETERS: (50, 500)}, 0.0, 0.001)
    assert list(compared.fronts) == ["a", "b"]


def test_the_same_images_under_two_names_compare():
    assert compare([Searched("a", "photos", validation="12ab"), Searched("b", "/home/me/photos", validation="12ab")])


def test_counts_compare_across_machines():
    assert compare([Searched("a", costs=(MACS,)), Searched("b", costs=(MACS,), machine="two")])


@pytest.mark.parametrize(
    ("searches", "sentence"),
    [
        ([Searched("a"), Searched("a")], "a comparison names each search once; received a, a"),
        (
            [Searched("a"), Searched("b", dataset="mnist")],
            "only searches on the same images can be compared; received a: digits of 8x8x1, b: mnist of 8x8x1",
        ),
        (
            [Searched("a"), Searched("b", costs=(MACS,))],
            "only searches with the same objectives can be compared; received a: val_accuracy, parameters; b: "
            "val_accuracy, macs",
        ),
        (
            [Searched("a", costs=(LATENCY,)), Searched("b", costs=(LATENCY,), machine="two")],
            "only searches that measured latency_ms on one machine can be compared; received a: one; b: two",
        ),
        ([Searched("a")], "a comparison takes at least two searches; received 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(searches, sentence):
    with pytest.raises(NasError) as error:
        compare(searches)
    assert str(error.value) == sentence


def told(overrides, **data):
    experiment = load_experiment(find_experiment("digits"), overrides)
    return SimpleNamespace(experiment=experiment, facts=SimpleNamespace(data=data))


def test_what_shapes_the_numbers_differs():
    one = told({"name": "one", "workers": 1, "training.epochs": 3}, train="aaaaaaaa11", test="b")
    two = told({"name": "two", "workers": 2, "start": ["reference/lenet5"]}, train="aaaaaaaa11", test="c")
    assert differences([one, two]) == {
        "start": ("-", "reference/lenet5"),
        "training.epochs": ("3", str(two.experiment.training.epochs)),
        "test images": ("digest b", "digest c"),
    }
    assert differences([one, one]) == {}


def test_what_leaves_the_numbers_is_a_setting():
    settings = told({}).experiment.model_dump()
    assert {*settings, *(f"dataset.{key}" for key in settings["dataset"])} >= ALIKE
