"""A cost of its own, in this file alone: weights that training changes. A search keeps them low and within a limit."""

import json
import random

import pytest

from nas.architecture import Budget, BudgetError
from nas.cli import main
from nas.objectives import COSTS, Cost
from nas.space import load_space

TRAINABLE = Cost(name="trainable", heading="trainable weights", unit="trainable weights", span=(1.0, 1e9))


@pytest.fixture(scope="module", autouse=True)
def known():
    COSTS.add("trainable", TRAINABLE)
    yield
    COSTS._items.pop("trainable")


def test_what_is_sampled_changed_and_listed_is_inside_the_limit():
    space, budget, rng = (
        load_space("tiny", input_shape=(8, 8, 1), classes=10),
        Budget(max_trainable="6k"),
        random.Random(0),
    )
    free = [space.sample(rng, Budget(max_parameters=12_000)).count.trainable for _ in range(50)]
    assert max(free) > 6_000
    found = [space.sample(rng, budget) for _ in range(50)]
    found += [space.mutate(each, rng, budget) for each in found]
    assert all(each.count.trainable <= 6_000 for each in found)
    assert len({each.id for each in found}) > 20
    with pytest.raises(BudgetError, match=r"with at most 1 trainable weights was found in 200 attempts"):
        space.sample(rng, Budget(max_trainable=1))


def test_a_search_has_it_as_objective_limit_and_column(tmp_path, capsys):
    (tmp_path / "own.yaml").write_text(
        "space: tiny\ndataset: digits\ntrials: 3\nworkers: 0\nstrategy: ehvi\nearly_stopping: pareto-asha\n"
        "objectives: [val_accuracy, trainable, macs]\nbudget: {max_trainable: 6k}\ntraining: {epochs: 1}\n"
    )
    assert main(["search", str(tmp_path / "own.yaml"), "--runs-dir", str(tmp_path)]) == 0
    assert main(["front", "own", "--runs-dir", str(tmp_path), "--format", "json"]) == 0
    printed = capsys.readouterr().out
    document = json.loads(printed[printed.index("{") :])
    assert document["objectives"] == {"trainable": "minimize", "macs": "minimize", "val_accuracy": "maximize"}
    assert all(0 < point["trainable"] <= 6_000 for point in document["points"])
    assert main(["front", "own", "--runs-dir", str(tmp_path)]) == 0
    assert "trainable weights" in capsys.readouterr().out
