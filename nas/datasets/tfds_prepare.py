"""Making TFDS write a data set to this machine, once, whoever else does it at the same time."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nas.datasets import tfds_catalog
from nas.datasets.spec import DatasetError, expanded
from nas.files.temporary import own_temporary, temporary_files_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)

_PROBE_SECONDS = 6.0


def prepare_tfds(name: str, data_dir: str | Path | None = None, manual_dir: str | Path | None = None) -> Path:
    """Downloads and prepares a TFDS data set, `name[/config][:version]`; the folder it is in.

    Raises:
        DatasetError: unknown name, no network (within ten seconds), or whatever TFDS could not do.
    """
    manual = expanded(manual_dir) if manual_dir else None

    def make(stage: Path) -> Any:
        builder = tfds_builder(name, stage)
        if not tfds_catalog.is_prepared(target_of(builder, stage, data_dir)):
            _require_network(builder, manual)
        return builder

    return install(make, data_dir, manual)


def tfds_builder(name: str, data_dir: Path) -> Any:
    """TFDS' own builder of that name, found without a network.

    Raises:
        DatasetError: no such name, configuration or version.
    """
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name, data_dir=data_dir, try_gcs=False)
    except tfds.core.registered.DatasetNotFoundError as error:
        hint = tfds_catalog.hint(name) or "; its names are at https://www.tensorflow.org/datasets/catalog"
        raise DatasetError(f"TFDS has no data set {name!r}{hint}") from error
    except (ValueError, AssertionError) as error:
        raise DatasetError(f"TFDS refuses {name!r}: {_first_line(error)}") from error


def install(make_builder: Callable[[Path], Any], data_dir: str | Path | None, manual_dir: Path | None = None) -> Path:
    """Prepares a builder in a folder of its own and moves the result to `data_dir` in one step.

    TFDS alone fails when two processes prepare one data set: the second finds the target taken. Here the
    second throws its copy away, and a process killed on the way leaves nothing that looks finished.

    Args:
        make_builder: gives the builder for a data folder.
        data_dir: where the result goes; as for `data_dir_of`.
        manual_dir: where TFDS looks for files downloaded by hand.

    Raises:
        DatasetError: the folder cannot be written, or whatever TFDS could not do.
    """
    root = tfds_catalog.data_dir_of(data_dir)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with own_temporary(prefix=".incomplete-", parent=root) as stage:
            with temporary_files_in(stage):  # TFDS makes a folder for each builder, and leaves it
                builder = make_builder(stage)
            target = target_of(builder, stage, root)
            if not tfds_catalog.is_prepared(target):
                _generate(builder, root, manual_dir)
                _move(Path(builder.data_dir), target, stage)
            return target
    except OSError as error:
        raise DatasetError(
            f"TFDS needs a folder it can write to; {root} failed ({error}); set dataset.data_dir or TFDS_DATA_DIR"
        ) from error


def _generate(builder: Any, root: Path, manual_dir: Path | None) -> None:
    import tensorflow_datasets as tfds

    config = tfds.download.DownloadConfig(manual_dir=manual_dir, try_download_gcs=False)
    logger.info("preparing %s in %s", builder.info.full_name, root)
    try:
        # TFDS announces itself on standard output, which belongs to results.
        with contextlib.redirect_stdout(io.StringIO()):
            builder.download_and_prepare(download_dir=root / "downloads", download_config=config)
    except Exception as error:  # Hundreds of builders by hundreds of authors raise anything.
        raise DatasetError(
            f"TFDS could not prepare {builder.info.full_name!r} in {root}: {_first_line(error)}"
        ) from error


def target_of(builder: Any, stage: Path, data_dir: str | Path | None) -> Path:
    """Where a builder that works below `stage` would put its data below `data_dir`."""
    return tfds_catalog.data_dir_of(data_dir) / Path(builder.data_dir).relative_to(stage)


def _move(source: Path, target: Path, stage: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.rename(source, target)
    except OSError:
        if not tfds_catalog.is_prepared(target):
            raise
    # Beside the configurations TFDS notes which is the default.
    for note in stage.glob("*/.config"):
        shutil.copytree(note, target.parent.parent / note.name, dirs_exist_ok=True)


def _require_network(builder: Any, manual_dir: Path | None) -> None:
    """Asks the hosts of a data set's files for a sign of life, because TFDS itself tries for minutes."""
    urls = [
        url
        for url, info in (builder.url_infos or {}).items()
        if url.startswith("http") and not (manual_dir and (manual_dir / str(info.filename)).exists())
    ]
    hosts = sorted({urlsplit(url)._replace(path="", query="", fragment="").geturl() for url in urls})
    if hosts and not _any_answers(hosts):
        raise DatasetError(
            f"{builder.name!r} is downloaded from {', '.join(hosts)}, which does not answer; connect, or set "
            f"dataset.data_dir to a prepared copy, dataset.manual_dir to downloaded files, or use --from DIR for "
            f"files in MNIST's idx format"
        )


def _any_answers(hosts: Iterable[str]) -> bool:
    answered = threading.Event()

    def ask(host: str) -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(host, method="HEAD"), timeout=_PROBE_SECONDS).close()
        except urllib.error.HTTPError:
            pass  # "404" is an answer too.
        except (OSError, ValueError):
            return
        answered.set()

    # Threads, because a name server that does not answer obeys no timeout.
    threads = [threading.Thread(target=ask, args=(host,), daemon=True) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_PROBE_SECONDS / len(threads))
    return answered.is_set()


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or repr(error)).partition("\n")[0]
