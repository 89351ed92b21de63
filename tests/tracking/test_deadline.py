"""A tracking server that drips is one that does not answer."""

import socket
import threading
import time

import pytest

from nas.errors import NasError
from nas.tracking import SearchRun, Store, deadline, sync
from nas.tracking.deadline import within
from nas.tracking.ui import serve
from tests.tracking.examples import OBJECTIVES, trial


@pytest.fixture
def dripping():
    """A server that sends a byte of its answer every now and then; its address."""
    ended = threading.Event()

    def drip(connection):
        with connection:
            try:
                connection.recv(65_536)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
                )
                while not ended.wait(0.1):
                    connection.sendall(b" ")
            except OSError:
                pass

    def accept():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        ended.set()


def test_a_server_that_drips_is_given_up_in_one_line(dripping, tmp_path, monkeypatch):
    monkeypatch.setattr(deadline, "CALL_SECONDS", 1.0)
    store = Store.resolve(tmp_path, dripping)
    search = SearchRun(store=store, experiment="e", name="n", search_id="0" * 32, objectives=OBJECTIVES)
    store.connect()  # the import of MLflow takes its time
    started = time.monotonic()
    with pytest.raises(NasError, match=rf"^MLflow at {dripping} cannot be written: no whole answer within 1 seconds$"):
        sync(search, [trial(0, 0.9)], description={})
    with pytest.raises(NasError, match="cannot be read: no whole answer within 1 seconds"), serve(tmp_path, dripping):
        pass
    assert time.monotonic() - started < 20


def test_what_is_done_in_time_is_as_if_it_were_called():
    assert within(10, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(10, lambda: 1 // 0)
    with pytest.raises(TimeoutError, match="its own"):
        within(10, lambda: (_ for _ in ()).throw(TimeoutError("its own")))
