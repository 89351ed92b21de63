"""A tracking server that asks who is there: MLflow's own variables are respected, by writes, views and files."""

import base64
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from nas.errors import NasError
from nas.tracking import SearchRun, Store, sync
from nas.tracking.ui import remote_url, serve
from tests.tracking.examples import OBJECTIVES, artifact, read_runs, trial

pytestmark = pytest.mark.slow
EXPECTED = "Basic " + base64.b64encode(b"me:secret").decode()


def gate(target):
    """A proxy that lets nothing through to `target` without a name and its password."""

    class Gate(BaseHTTPRequestHandler):
        def answer(self):
            if self.headers.get("Authorization") != EXPECTED:
                self.send_response(401)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
            request = urllib.request.Request(target + self.path, body or None, kept, method=self.command)
            try:
                reply = urllib.request.urlopen(request, timeout=60)
            except urllib.error.HTTPError as error:
                reply = error
            content = reply.read()
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.headers.get("Content-Type", "application/json"))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - names that the server calls

        def log_message(self, *arguments):
            pass

    return Gate


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("server")) as server:
        proxy = ThreadingHTTPServer(("127.0.0.1", 0), gate(server.url))
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
        proxy.shutdown()
        proxy.server_close()


@pytest.fixture
def search(guarded, tmp_path):
    store = Store.resolve(tmp_path, guarded)
    return SearchRun(store=store, experiment="digits", name="x", search_id="0" * 32, objectives=OBJECTIVES)


def test_without_a_password_the_reason_is_one_line(search, monkeypatch):
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(NasError, match=r"^MLflow at http://127\.0\.0\.1:\d+ cannot be written: .*401") as caught:
        sync(search, [trial(0, 0.9)], description={})
    assert "\n" not in str(caught.value)


def test_with_the_variables_of_mlflow_runs_files_and_views_are_written(search, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    sync(search, [trial(0, 0.9)], description={})
    _, children = read_runs(search)
    assert artifact(search, children[0], "architecture.svg").startswith(b"<svg")
    assert "viewStateShareKey=" in remote_url(search)
