"""Calls of a tracking server that end in time: its client waits for the next byte, however many there are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar, cast, final

from nas.errors import NasError

if TYPE_CHECKING:
    from mlflow import MlflowClient

CALL_SECONDS = 60.0
FILES_SECONDS = 600.0
"""For files, which may be large."""

_FILES = ("log_artifact", "log_model_artifact", "download_artifact")

Result = TypeVar("Result")


def within(seconds: float, work: Callable[[], Result]) -> Result:
    """What `work` returns, in a thread of its own, which is left to itself when the time is over.

    Raises:
        NasError: it takes longer.
    """
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            future.set_exception(error)

    threading.Thread(target=run, name="nas-mlflow-call", daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        if future.done():
            raise
        raise NasError(f"no whole answer within {seconds:g} seconds") from None


def bounded(client: MlflowClient) -> MlflowClient:
    """The same client, each call of which is answered in time or raises a NasError."""
    return cast("MlflowClient", _Bounded(client))


@final
class _Bounded:
    def __init__(self, client: MlflowClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*arguments: Any, **options: Any) -> Any:
            seconds = FILES_SECONDS if name.startswith(_FILES) else CALL_SECONDS
            return within(seconds, lambda: method(*arguments, **options))

        return call
