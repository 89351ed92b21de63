"""What may be compared: searches on the same images, for the same objectives, measured on one machine."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from nas.errors import NasError
from nas.objectives import LATENCY, MACS, PARAMETERS, Objectives
from nas.tasks import DEFAULT_TASK
from nas.tuning import compare
from tests.tracking.examples import trial


@dataclass
class Searched:
    """What a comparison asks of a search."""

    name: str
    dataset: str = "digits"
    machine: str = "one"
    costs: tuple = (PARAMETERS,)
    limits: tuple = (100, 9_000)

    @property
    def facts(self):
        return SimpleNamespace(dataset=self.dataset, input_shape=(8, 8, 1), machine=self.machine)

    @property
    def experiment(self):
        return SimpleNamespace(objectives=("val_accuracy", *(cost.name for cost in self.costs)))

    @property
    def objectives(self):
        return Objectives(score=DEFAULT_TASK.score, limits=dict.fromkeys(self.costs, self.limits))

    @property
    def trials(self):
        return (trial(0, 0.9),)


def test_limits_hold_the_networks_of_all():
    compared = compare([Searched("a", limits=(100, 500)), Searched("b", limits=(50, 300))])
    assert compared.limits == {PARAMETERS: (50, 500)}
    assert list(compared.fronts) == ["a", "b"]


def test_counts_compare_across_machines():
    assert compare([Searched("a", costs=(MACS,)), Searched("b", costs=(MACS,), machine="two")])


@pytest.mark.parametrize(
    ("searches", "sentence"),
    [
        ([Searched("a"), Searched("a")], "a comparison names each search once; received a, a"),
        (
            [Searched("a"), Searched("b", dataset="mnist")],
            "only searches on the same images can be compared; received a: digits, b: mnist",
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
