"""What several packages' tests share: one small real search, and stores that cost nothing to create."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
from contextlib import contextmanager

import pytest

# TensorFlow's own messages would drown a failing test's.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.pop("MLFLOW_TRACKING_URI", None)
# A shell's background job ignores Ctrl-C, and so would every process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

SLOWEST = (
    "tests/tuning/test_chaos.py",
    "tests/tracking/test_chaos.py",
    "tests/tuning/test_early_stopping.py",
    "tests/tuning/test_search.py",
    "tests/tuning/test_contract.py",
    "tests/tuning/test_final.py",
    "tests/training/test_compiled.py",
    "tests/cli/test_commands.py",
    "tests/tracking/test_browser.py",
    "tests/datasets/test_idx.py",
    "tests/tuning/test_parents.py",
    "tests/cli/test_tracking_commands.py",
    "tests/inheritance/test_inherit.py",
    "tests/devices/test_selection.py",
    "tests/training/test_checkpoint.py",
    "tests/tuning/test_jax_search.py",
)
"""Whole files go to the workers of `make test`: these first, so that none of them is left to one worker at the end."""


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


@pytest.fixture(scope="session", autouse=True)
def stores_are_copies(tmp_path_factory):
    """In this process each MLflow store is a copy of the first: MLflow needs two seconds to create one."""
    from nas.tracking import store

    create = store._create_sqlite
    template = tmp_path_factory.mktemp("store") / "mlflow.db"

    def copy(path):
        if not path.exists():
            create(template)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(template, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_create_sqlite", copy)
        yield


@pytest.fixture(autouse=True)
def no_store_stays():
    """What a test, or an example of the documentation, tells MLflow does not hold for the next."""
    yield
    if "mlflow" in sys.modules:
        sys.modules["mlflow"].set_tracking_uri(None)


@pytest.fixture(scope="session")
def finished_search(tmp_path_factory):
    """Three real trials on the real digits, with an MLflow store beside them; do not change it."""
    import nas

    return nas.search(
        "digits",
        space="tiny",
        max_parameters=3000,
        strategy="random",
        trials=3,
        epochs=2,
        runs_dir=tmp_path_factory.mktemp("runs"),
        settings={"workers": 0, "final.seeds": 0},
    )


@pytest.fixture
def full_disk():
    """No file can grow beyond so many bytes, which stands in for a disk that is full: `with full_disk(100): ...`."""

    @contextmanager
    def full(size):
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            signal.signal(signal.SIGXFSZ, previous)

    return full
