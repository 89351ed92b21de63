"""Experiment files: read whole, or refused in one line."""

import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from nas.architecture import Budget
from nas.config import ExperimentConfig, load_experiment, named_experiment
from nas.files.shipped import find_experiment, shipped
from nas.files.yaml_file import FileError
from nas.objectives import DEFAULT_COSTS, LATENCY, MACS, SCORES
from nas.tasks import DEFAULT_TASK

MINIMAL = "space: plain\ndataset: digits\n"


@pytest.fixture
def experiment(tmp_path):
    def write(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("path", shipped("experiments").values(), ids=shipped("experiments"))
def test_shipped_experiments_load(path):
    assert load_experiment(path).name == path.stem


def test_defaults_and_name_come_from_the_file(experiment):
    loaded = load_experiment(experiment(MINIMAL))
    assert (loaded.name, loaded.dataset.name, loaded.strategy, loaded.training.batch_size) == (
        "mine",
        "digits",
        type(loaded).model_fields["strategy"].default,
        64,
    )


def test_numbers_as_people_write_them(experiment):
    loaded = load_experiment(experiment(MINIMAL + "budget: {max_parameters: 1.5M}\ntime_limit: 1h30m\ntrials: 1k\n"))
    assert (loaded.budget.max_parameters, loaded.time_limit, loaded.trials) == (1_500_000, 5400.0, 1000)


def test_overrides_replace_values_at_any_depth(experiment):
    loaded = load_experiment(experiment(MINIMAL), {"training.augmentation.shift": 2, "budget.max_parameters": "7k"})
    assert loaded.training.augmentation.shift == 2
    assert loaded.budget.max_parameters == 7000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            MINIMAL + "trails: 3\n",
            r"mine.yaml:3: trails: unknown key \(did you mean 'trials'\?\); use one of board, budget, ",
        ),
        (MINIMAL + "training:\n  epocs: 3\n", r"mine.yaml:4: training.epocs: unknown key \(did you mean 'epochs'\?\)"),
        (
            MINIMAL + "epochs: 3\n",
            r"mine.yaml:3: epochs: unknown key \(did you mean 'training.epochs'\?\); use one of ",
        ),
        (MINIMAL + "training: {trials: 3}\n", r"mine.yaml:3: training.trials: unknown key \(did you mean 'trials'\?\)"),
        (MINIMAL + "flip: true\n", r"mine.yaml:3: flip: unknown key \(did you mean 'training.augmentation.flip'\?\)"),
        (MINIMAL + "trials: many\n", r"mine.yaml:3: trials: must be a whole number such as .*; received 'many'$"),
        (MINIMAL + "trials: 0\n", r"mine.yaml:3: trials: must be at least 1; received 0$"),
        ("dataset: digits\n", r"mine.yaml:1: space: is missing"),
        (MINIMAL + "trials: on\n", r"mine.yaml:3: trials: must not be true or false .*; received true$"),
        (MINIMAL + "workers: no\n", r"mine.yaml:3: workers: must not be true or false .*; received false$"),
        (MINIMAL + "time_limit: 10:30\n", r"mine.yaml:3: YAML reads 10:30 in eights or sixties, as 630; write that"),
        (MINIMAL + "budget: {max_latency_ms: yes}\n", r"max_latency_ms: must not be true or false .*; received true$"),
        (MINIMAL + "inherit: 3\n", r"mine.yaml:3: inherit: must be true or false; received 3$"),
        (MINIMAL + "training: {learning_rate: .nan}\n", r"learning_rate: must be at most 10; received nan$"),
        (MINIMAL + "training: {learning_rate: 0}\n", r"learning_rate: must be greater than 0; received 0$"),
        (MINIMAL + "training: {label_smoothing: 1}\n", r"label_smoothing: must be less than 1; received 1$"),
        (MINIMAL + "name: ''\n", r"mine.yaml:3: name: must not be empty; received ''$"),
        (MINIMAL + f"name: {101 * 'a'}\n", r"name: must have at most 100 characters; received 'aaa"),
        (
            MINIMAL + "device: tpv\n",
            r"mine.yaml:3: device: must be 'auto', 'cpu', .* or 'jax-cpu'; received 'tpv'",
        ),
        (
            MINIMAL + "budget: {min_parameters: 9, max_parameters: 5}\n",
            r"mine.yaml:3: budget.min_parameters: must not exceed max_parameters; received 9 > 5$",
        ),
        (MINIMAL + "ray_address: 10.0.0.1:6379\n", r"ray_address is for engine: ray; received engine 'local'$"),
        (MINIMAL + "engine: ray\nray_address: auto\n", r"ray_address must be HOST:PORT, .*; received 'auto'$"),
        (
            MINIMAL + "workers: many\n",
            r"mine.yaml:3: workers: must be a whole number, or 'auto'; received 'many'$",
        ),
        (MINIMAL + "workers: -1\n", r"mine.yaml:3: workers: must be at least 0, or 'auto'; received -1$"),
        (MINIMAL + "final: {top: 0}\n", r"mine.yaml:3: final.top: must be at least 1, or 'all-front'; received 0$"),
        (
            MINIMAL + "training: {class_weights: equal}\n",
            r"training.class_weights: must be 'none' or 'balanced', or a mapping of keys to values; received 'equal'$",
        ),
        (MINIMAL + "training: {class_weights: {a b: -1}}\n", r"class_weights.a b: must be at least 0; received -1$"),
        (MINIMAL + "training: {class_weights: {cat: .inf}}\n", r"weights.cat: must be at most 100,000; received inf$"),
        ("space: s\ndataset: {name: d, keys: {a b: x}}\n", r"dataset.keys: each key must be 'image' or 'target'; rec"),
        ("space: s\ndataset: {name: d, classes: {a b: x}}\n", r"classes.a b: must be a whole number; received 'x'$"),
        (
            MINIMAL + "budget: {max_params: 5}\n",
            r"budget.max_params: unknown key \(did you mean 'max_parameters'\?\); use",
        ),
        (
            MINIMAL + "budget: {max_macs: 1.5}\n",
            r"mine.yaml:3: budget.max_macs: must be a whole number, .*; received 1.5",
        ),
        (MINIMAL + "budget: {max_macs: 0}\n", r"mine.yaml:3: budget.max_macs: must be at least 1; received 0$"),
        (
            MINIMAL + "budget: {interest: 2k..500}\n",
            r"mine.yaml:3: budget.interest: must be two numbers, the lower one first, .*; received '2k..500'$",
        ),
        (MINIMAL + "floor: 1\n", r"mine.yaml:3: floor: must be less than 1; received 1$"),
        (MINIMAL + "budget: 5\n", r"mine.yaml:3: budget: must be a mapping of keys to values; received 5$"),
        (MINIMAL + "training: 5\n", r"mine.yaml:3: training: must be a mapping of keys to values; received 5$"),
        (MINIMAL + "objectives: macs\n", r"mine.yaml:3: objectives: must be a list; received 'macs'$"),
        (
            MINIMAL + "objectives: [1, macs]\n",
            r"mine.yaml:3: objectives\[0\]: must be text; received 1",
        ),
        (MINIMAL + "name: a/b\n", r"mine.yaml:3: name: a name is letters, digits, .*; received 'a/b'$"),
        (
            MINIMAL + "name: mlartifacts\n",
            r"mine.yaml:3: name: 'mlartifacts' is reserved for MLflow's files, .*another",
        ),
        (MINIMAL + "name: mlflow.db-wal\n", r"mine.yaml:3: name: 'mlflow.db-wal' is reserved for MLflow's files"),
        (MINIMAL + "engine: ray\nworkers: 0\n", r"workers must be at least 1 with engine: ray, .*; received 0$"),
        ("[1, 2]\n", r"mine.yaml:1: an experiment is a mapping"),
        (MINIMAL + "space: mixed\n", r"mine.yaml:3: space is given twice"),
        (
            MINIMAL + "seed: !!python/object/apply:os.getpid []\n",
            r"mine.yaml:3: this is not YAML: only plain data is read",
        ),
    ],
)
def test_mistakes_name_file_line_and_key(experiment, text, message):
    with pytest.raises(FileError, match=message):
        load_experiment(experiment(text))


def test_a_file_whose_name_is_none_says_where_to_give_one(tmp_path):
    path = tmp_path / "zwei ä.yaml"
    path.write_text(MINIMAL)
    with pytest.raises(FileError, match=r"letter or a digit; received 'zwei ä'\. It is the file's: add a `name`, or"):
        load_experiment(path)
    assert load_experiment(path, {"name": "two"}).name == "two"


def test_a_mistake_on_the_command_line_names_its_key(experiment):
    with pytest.raises(FileError, match=r"^training.batch_size: must be at least 1; received 0$"):
        load_experiment(experiment(MINIMAL), {"training.batch_size": 0})


def test_a_mistake_in_a_section_of_the_command_line_is_not_looked_for_in_the_file(experiment):
    text = MINIMAL + "training:\n  epochs: 3\n"
    with pytest.raises(FileError, match=r"^training.epochs: must be at least 1; received -3$"):
        load_experiment(experiment(text), {"training": {"epochs": -3}})
    with pytest.raises(FileError, match=r"^workers: must be a whole number, or 'auto'; received 'many'$"):
        load_experiment(experiment(text), {"workers": "many"})


def test_a_section_whose_keys_are_all_commented_out_has_its_defaults(experiment):
    text = MINIMAL + "budget:\n  # max_parameters: 5k\ntraining:\nfinal:\n"
    assert load_experiment(experiment(text)) == load_experiment(experiment(MINIMAL))
    assert load_experiment(experiment(text), {"budget.max_parameters": "7k"}).budget.max_parameters == 7000


def test_a_data_set_is_overridden_by_its_name(experiment):
    loaded = load_experiment(experiment(MINIMAL), {"dataset": "mnist", "dataset.image_size": 14})
    assert (loaded.dataset.name, loaded.dataset.image_size) == ("mnist", 14)


def test_a_setting_below_a_value_is_refused(experiment):
    with pytest.raises(FileError, match=r"--set space.x: 'space' has no keys of its own"):
        load_experiment(experiment(MINIMAL), {"space.x": 1})


def test_the_page_documents_every_key():
    """And nothing else."""
    page = (Path(__file__).parent.parent / "docs" / "experiments.md").read_text()
    documented = set(re.findall(r"^\| `([a-z_.]+)` \|", page, re.MULTILINE))

    def keys(model, prefix=""):
        for python_name, field in model.model_fields.items():
            name = field.alias or python_name
            inner = field.annotation
            if inner is Budget:
                yield from (f"{name}.{limit}" for limit in Budget.limit_names())
            elif isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from keys(inner, f"{prefix}{name}.")
            else:
                yield prefix + name

    assert documented == {*keys(ExperimentConfig), "dataset"}


def test_the_page_states_the_defaults():
    page = (Path(__file__).parent.parent / "docs" / "experiments.md").read_text()
    for key, default in re.findall(r"^\| `([a-z_.]+)` \| `?([0-9a-z.-]+)`? \|", page, re.MULTILINE):
        if key.startswith("budget."):
            assert default == "none"
            assert Budget().to_dict()[key.removeprefix("budget.")] is None
            continue
        field, model = None, ExperimentConfig
        for part in key.split("."):
            field = model.model_fields[part]
            model = field.annotation
        if default in ("required", "none", "all"):
            assert field.is_required() or field.default in (None, "none")
        else:
            assert str(field.default).lower().removesuffix(".0") == default


def test_the_page_s_example_is_one(experiment):
    page = (Path(__file__).parent.parent / "docs" / "experiments.md").read_text()
    example = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0]
    loaded = load_experiment(experiment(example))
    assert (loaded.time_limit, loaded.budget.max_parameters, loaded.training.augmentation.shift) == (7200, 16_000, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        ["val_accuracy"],
        ["parameters"],
        ["val_accuracy", "size"],
        ["val_accuracy", "macs", "macs"],
        ["val_accuracy", "parameters", "macs", "latency_ms"],
    ],
)
def test_objectives_are_the_score_and_some_costs(wrong):
    told = re.escape(
        f"objectives are one of {', '.join(SCORES)} and one or two of parameters, macs, activation_bytes, latency_ms, "
        "ram_bytes, flash_bytes; received " + ", ".join(wrong)
    )
    with pytest.raises(FileError, match=told):
        load_experiment(find_experiment("digits"), {"objectives": wrong})


@pytest.mark.parametrize(
    ("wrong", "hint"), [("val_acuracy", "val_accuracy"), ("accuracy", "val_accuracy"), ("parameter", "parameters")]
)
def test_a_misspelled_objective_is_told_what_may_be_meant(wrong, hint):
    both = [wrong, "parameters"] if hint == "val_accuracy" else ["val_accuracy", wrong]
    with pytest.raises(FileError, match=rf"received {', '.join(both)} \(did you mean '{hint}'\?\)$"):
        load_experiment(find_experiment("digits"), {"objectives": both})


def test_the_costs_are_the_objectives_without_the_score_in_their_order():
    wanted = {"objectives": ["latency_ms", "val_accuracy", "macs"], "budget.max_latency_ms": 2}
    found = load_experiment(find_experiment("digits"), wanted)
    assert found.score is DEFAULT_TASK.score
    assert found.costs == (LATENCY, MACS)
    assert found.objectives == ("val_accuracy", "latency_ms", "macs")
    assert found.measured == (LATENCY,)
    assert str(found.budget) == "at most 20,000 parameters, at most 2 ms"
    assert load_experiment(find_experiment("digits")).measured == ()
    limited = load_experiment(find_experiment("digits"), {"budget.max_latency_ms": 2})
    assert (limited.costs, limited.measured) == (DEFAULT_COSTS, (LATENCY,))


def test_an_experiment_is_read_back_as_it_was_written():
    settings = {
        "budget.max_latency_ms": 0.5,
        "budget.min_parameters": "1k",
        "budget.interest": "1.5k..2k",
        "floor": 0.25,
    }
    loaded = load_experiment(find_experiment("digits"), settings)
    assert ExperimentConfig.model_validate_json(loaded.model_dump_json()) == loaded
    assert loaded.model_dump(mode="json")["budget"] == {
        "max_parameters": 20_000,
        "min_parameters": 1_000,
        "max_macs": None,
        "max_activation_bytes": None,
        "interest": "1500..2000",
        "max_latency_ms": 0.5,
        "max_ram_bytes": None,
        "max_flash_bytes": None,
    }
    assert loaded.floor == 0.25


def test_paths_are_relative_to_the_file_and_those_of_the_command_line_to_the_directory(tmp_path, monkeypatch):
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (home / "photos", elsewhere / "photos", elsewhere / "data" / "photos"):
        folder.mkdir(parents=True)
    text = "space: mine.yaml\ndataset: {name: photos, data_dir: tfds, manual_dir: ../got}\nstart: [a.json, mixed]\n"
    (home / "it.yaml").write_text(text)
    monkeypatch.chdir(elsewhere)
    for path in (home / "it.yaml", Path("../home/it.yaml"), Path("../elsewhere/../home/it.yaml")):
        loaded = load_experiment(path)
        assert (loaded.space, loaded.start) == (f"{home}/mine.yaml", (f"{home}/a.json", "mixed"))
        data = loaded.dataset
        assert (data.name, data.data_dir, data.manual_dir) == (f"{home}/photos", f"{home}/tfds", f"{tmp_path}/got")
    for name in ("photos", "./photos", "photos/", "../elsewhere/photos", str(elsewhere / "photos")):
        for key in ("dataset", "dataset.name"):
            assert load_experiment(home / "it.yaml", {key: name}).dataset.name == f"{elsewhere}/photos"
    for name in ("data/photos", "./data/photos/"):
        assert load_experiment(home / "it.yaml", {"dataset.name": name}).dataset.name == f"{elsewhere}/data/photos"
    given = load_experiment(home / "it.yaml", {"space": "x.yml", "start": ["b.json"], "dataset.data_dir": "t"})
    assert (given.space, given.start) == (f"{elsewhere}/x.yml", (f"{elsewhere}/b.json",))
    assert (given.dataset.name, given.dataset.data_dir) == (f"{home}/photos", f"{elsewhere}/t")


def test_names_are_no_paths(experiment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("digits", "mnist", "emnist/letters:3.1.0", "arrays"):
        assert load_experiment(experiment(MINIMAL), {"dataset": name}).dataset.name == name
    (tmp_path / "arrays").mkdir()
    assert load_experiment(experiment(MINIMAL), {"dataset": "arrays"}).dataset.name == "arrays"
    assert load_experiment(experiment(MINIMAL), {"dataset": "./arrays"}).dataset.name == f"{tmp_path}/arrays"


def test_a_link_keeps_its_name_and_a_linked_folder_does_not(experiment, tmp_path):
    (tmp_path / "cache" / "it").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "cache" / "it")
    (tmp_path / "it.npz").symlink_to(tmp_path / "cache" / "ab12")
    for written, leads in (
        ("it.npz", "it.npz"),
        ("link", "link"),
        ("link/../x.npz", "cache/x.npz"),
        ("link/..", "cache"),
        ("./", ""),
    ):
        loaded = load_experiment(experiment(MINIMAL.replace("digits", written)))
        assert Path(loaded.dataset.name) == tmp_path / leads


def test_a_folder_beside_the_file_that_is_called_as_a_data_set(experiment, tmp_path):
    (tmp_path / "digits").mkdir()
    told = (
        f"dataset 'digits' is a folder in {tmp_path} and a data set too; write './digits' for the folder, or rename it "
        f"for the data set"
    )
    with pytest.raises(FileError, match=f"^{re.escape(told)}$"):
        load_experiment(experiment(MINIMAL))
    assert load_experiment(experiment(MINIMAL), {"dataset": "mnist"}).dataset.name == "mnist"
    (tmp_path / "tfds" / "emnist" / "letters" / "3.1.0").mkdir(parents=True)
    (tmp_path / "tfds" / "emnist" / "letters" / "3.1.0" / "dataset_info.json").write_text("{}")
    (tmp_path / "emnist" / "letters").mkdir(parents=True)
    text = MINIMAL.replace("digits", "{name: emnist/letters, data_dir: tfds}")
    with pytest.raises(FileError, match=r"dataset 'emnist/letters' is a folder in .* and a data set too"):
        load_experiment(experiment(text))


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("training.lr", "unknown key (did you mean 'training.learning_rate'?); use one of augmentation, "),
        ("lr", "unknown key (did you mean 'training.learning_rate'?); use one of board, budget, "),
        ("dataset.path", "unknown key (did you mean 'dataset.name'?); use one of as, classes, "),
        ("budget.max_params", "unknown key (did you mean 'max_parameters'?); use one of interest, "),
        ("budget.max_parmeters", "unknown key (did you mean 'max_parameters'?); use one of interest, "),
        ("budget.max_flash", "unknown key (did you mean 'max_flash_bytes'?); use one of interest, "),
        ("budget.max_size", "unknown key; use one of interest, "),
    ],
)
def test_keys_by_other_names(key, told):
    with pytest.raises(FileError, match="^" + re.escape(f"{key}: {told}")):
        load_experiment(find_experiment("digits"), {key: 1})


def test_a_folder_in_place_of_an_experiment_is_searched_on_under_its_name(tmp_path, monkeypatch):
    (tmp_path / "My photos (new)" / "cat").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    found = named_experiment("My photos (new)/", {"trials": 3})
    assert (found.name, found.trials) == ("My-photos-new-", 3)
    assert (found.dataset.name, found.dataset.image_size) == (str(tmp_path / "My photos (new)"), 32)
    assert named_experiment("My photos (new)", {"name": "mine"}).name == "mine"
    # A name that is no letter is no name.
    (tmp_path / "_").mkdir()
    assert named_experiment("_", {}).name == "pictures"


def test_arrays_in_place_of_an_experiment_keep_their_size(tmp_path, monkeypatch):
    (tmp_path / "sensor.v2.npz").touch()
    found = named_experiment(str(tmp_path / "sensor.v2.npz"), {})
    assert (found.name, found.dataset.image_size, found.dataset.fit) == ("sensor.v2", None, "stretch")


def test_an_experiment_is_meant_where_a_folder_is_called_like_it(tmp_path, monkeypatch):
    (tmp_path / "mnist").mkdir()
    monkeypatch.chdir(tmp_path)
    assert named_experiment("mnist", {}).space == load_experiment(find_experiment("mnist")).space == "tiny"
    with pytest.raises(FileError, match=r"^there is no experiment 'nothing'; give a path ending in \.yaml, a folder"):
        named_experiment("nothing", {})


def test_crops_have_a_size_of_their_own(experiment):
    loaded = load_experiment(experiment(MINIMAL), {"dataset.as": "crops", "dataset.crop_size": 16})
    assert (loaded.dataset.form, loaded.dataset.side_of_crops) == ("crops", 16)
    assert json.loads(loaded.model_dump_json())["dataset"]["as"] == "crops"
    assert type(loaded).model_validate(loaded.model_dump()) == loaded
    with pytest.raises(FileError, match=r"^dataset: crop_size is for `as: crops`; received 16 without it$"):
        load_experiment(experiment(MINIMAL), {"dataset.crop_size": 16})
