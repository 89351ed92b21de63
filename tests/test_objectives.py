"""What a score is worth."""

import math

import pytest

from nas.errors import NasError
from nas.objectives import PARAMETERS, Objectives
from nas.tasks import DEFAULT_TASK


def objectives(**options):
    return Objectives(score=DEFAULT_TASK.score, interest={PARAMETERS: (100, 2_000)}, **options)


def test_worth_counts_factors_of_error_from_the_floor_to_perfect():
    # Errors with `finest` are 0.32 at the floor and 0.02 without an error: four halvings apart.
    wanted = objectives(floor=0.7, finest=0.02)
    worths = [wanted.worth(score) for score in (0.0, 0.7, 0.86, 0.94, 0.98, 1.0)]
    assert worths == pytest.approx([0, 0, 0.25, 0.5, 0.75, 1])


def test_a_deviation_of_worth_is_half_of_what_lies_between_both_sides():
    wanted = objectives(floor=0.7, finest=0.02)
    # 0.9 is between 0.86 and 0.94; beyond the floor and beyond perfect there is nothing.
    assert wanted.worth_deviation(0.90, 0.04) == pytest.approx(0.25 / 2)
    assert wanted.worth_deviation(0.72, 0.14) == pytest.approx(0.25 / 2)
    assert wanted.worth_deviation(0.99, 0.05) == pytest.approx(0.5 / 2)
    assert wanted.worth_deviation(0.90, 0.0) == 0


@pytest.mark.parametrize("floor", [-0.1, 1.0, math.nan])
def test_a_floor_that_is_no_score_below_perfect(floor):
    with pytest.raises(NasError) as told:
        objectives(floor=floor)
    assert str(told.value) == f"floor must be at least 0 and less than 1; received {floor}"
