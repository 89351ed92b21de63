from __future__ import annotations

import shutil
import uuid

import pytest

from nas.objectives import PARAMETERS, Objectives
from nas.tracking import SearchRun, Store
from tests.tracking.examples import SCORE


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """Creating a store takes seconds, copying one does not."""
    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    Store.resolve(path.parent, f"sqlite:///{path}").connect()
    return path


@pytest.fixture
def store(empty_database, tmp_path):
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return Store.resolve(tmp_path, f"sqlite:///{tmp_path / 'mlflow.db'}")


@pytest.fixture
def search(store):
    # Names that break every filter in which they are not escaped.
    return SearchRun(
        store=store,
        experiment='a/b\'c "d" %',
        name="x'; -- `y`",
        search_id=uuid.uuid4().hex,
        objectives=Objectives(score=SCORE, interest={PARAMETERS: (10, 10_000)}, budget=10_000),
    )
