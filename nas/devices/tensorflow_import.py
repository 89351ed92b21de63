"""The first import of TensorFlow, without the start-up noise that it writes past Python to standard error."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from nas.errors import NasError

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_NAMES = {"tensorflow": "TensorFlow", "jax": "JAX"}
# Lines of TensorFlow's C++ log: written before its own log level is in force, so the level alone does not
# hide them ("I0000 00:00:1795301414.243937    3794 port.cc:153] oneDNN custom operations are on ...").
_NOISE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"
    rb"|[IWE]\d{4} \d\d:\d\d:"
    rb"|To enable the following instructions"  # goes on with the line before
)


def import_tensorflow(backend: str = "tensorflow", *others: str) -> None:
    """Imports TensorFlow and Keras once, quietly; call it before the first `import tensorflow` or `import keras`.

    A user who sets TF_CPP_MIN_LOG_LEVEL below 3 wants to see the log: then nothing is hidden.

    Args:
        backend: that Keras must run on; with "jax", TensorFlow only reads the data.
        others: on which it may run as well, where it does.

    Raises:
        NasError: Keras is configured for another backend.
    """
    loud = os.environ.setdefault(_LEVEL, "3") != "3"  # a worker inherits the 3 from its parent
    allowed = (backend, *others)
    configured = os.environ.setdefault("KERAS_BACKEND", backend)
    if "keras" not in sys.modules:
        _check(configured, allowed)
    if "tensorflow" not in sys.modules or "keras" not in sys.modules:
        if loud:
            _import()
        else:
            with without_noise():
                _import()
    import keras

    _check(keras.backend.backend(), allowed)


def _check(configured: str, allowed: tuple[str, ...]) -> None:
    if configured not in allowed:
        raise NasError(
            f"Keras must run on its {_NAMES[allowed[0]]} backend, but is configured for {configured!r}; unset "
            f"KERAS_BACKEND, or set it to {allowed[0]!r}"
        )


def _import() -> None:
    import tensorflow as tf

    # MirroredStrategy reports its devices and its reduction through this logger, at each trial.
    tf.get_logger().setLevel("ERROR")
    import keras

    # Whatever ~/.keras/keras.json says: images are (n, height, width, channels) here.
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.utils.set_random_seed  # noqa: B018 - keras loads its submodules lazily; now, while it is quiet


@contextmanager
def without_noise() -> Iterator[None]:
    """Collects what is written to file descriptor 2 and hands on all that is not TensorFlow's start-up log.

    For what may import TensorFlow, and often does not: data sets that need it, among others that do not.
    """
    lines: list[bytes] = []
    try:
        with captured(lines):
            yield
    finally:
        rest = b"".join(line for line in lines if not _NOISE.match(line))
        if rest:
            os.write(2, rest)


@contextmanager
def captured(lines: list[bytes]) -> Iterator[None]:
    """Collects what is written to file descriptor 2, by C++ code, too; `lines` has it at the end."""
    try:
        sys.stderr.flush()
        real = os.dup(2)
    except (OSError, ValueError, AttributeError):  # no standard error: nothing is written
        yield
        return
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)
            file.seek(0)
            lines += file
