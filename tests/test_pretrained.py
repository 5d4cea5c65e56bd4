"""ImageNet's weights: there, to be had, or not, from a server that does anything."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import keras
import pytest

from hotelviz.errors import ModelError
from hotelviz.models import imagenet_weights_available, weights_folder

#: What Keras calls the file of the narrowest network.
NAME = "mobilenet_2_5_224_tf_no_top.h5"


class Server(ThreadingHTTPServer):
    """A server that answers in the way that the first part of an address names."""

    daemon_threads = True

    def __init__(self, weights: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.weights, self.released, self.asked = weights, threading.Event(), []
        self.address = f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        data, way = self.server.weights, self.path.strip("/").partition("/")[0]
        if way == "hangs":
            self.server.released.wait(30)
            return
        self.send_response(404 if way == "missing" else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if way == "page":
            data = b"<html>Sign in to use this network</html>"
        elif way == "cut":
            data = data[: len(data) // 2]
        elif way == "trickles":
            while not self.server.released.wait(0.05):
                self.wfile.write(b"\x89")
            return
        self.wfile.write(data)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file as Keras has them, of random weights."""
    file = tmp_path_factory.mktemp("weights") / NAME
    body = keras.applications.MobileNet(
        alpha=0.25, include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    body.save(file)
    return file.read_bytes()


@pytest.fixture
def server(weights: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server beside an empty folder of weights; downloads are allowed."""
    monkeypatch.delenv("HOTELVIZ_NO_DOWNLOAD")
    with Server(weights) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def available(origin: str, seconds: float = 5.0) -> bool:
    return imagenet_weights_available(alpha=0.25, origin=origin, seconds=seconds)


def test_file_that_is_there_is_taken_without_asking_anyone(server, weights):
    weights_folder().mkdir()
    (weights_folder() / NAME).write_bytes(weights)
    assert available(server.address)
    assert server.asked == []


@pytest.mark.slow
@pytest.mark.parametrize("there", [False, True], ids=["nothing", "half a file"])
def test_download_goes_to_where_keras_looks(server, weights, there):
    if there:
        weights_folder().mkdir()
        (weights_folder() / NAME).write_bytes(weights[:1000])
    assert available(f"{server.address}/good/")
    assert [file.name for file in weights_folder().iterdir()] == [NAME]
    assert (weights_folder() / NAME).read_bytes() == weights
    assert available(server.address)
    assert server.asked == [f"/good/{NAME}"]


@pytest.mark.parametrize("way", ["missing", "page", "cut", "hangs", "trickles"])
def test_download_that_fails_is_no_and_leaves_nothing_behind(server, home, way):
    started = time.monotonic()
    assert not available(f"{server.address}/{way}", seconds=0.3)
    assert time.monotonic() - started < 10
    assert list(home.iterdir()) == []
    assert server.asked == [f"/{way}/{NAME}"]


def test_proxy_that_hangs_is_not_waited_for(server, home, monkeypatch):
    def hang(handler: Answer) -> None:
        server.asked.append(handler.path)
        server.released.wait(30)

    monkeypatch.setattr(Answer, "do_GET", hang)
    monkeypatch.setenv("http_proxy", server.address)
    started = time.monotonic()
    assert not available("http://weights.invalid", seconds=0.3)
    assert time.monotonic() - started < 10
    assert server.asked == [f"http://weights.invalid/{NAME}"]
    assert list(home.iterdir()) == []


def test_machine_without_a_network_has_none(server, home):
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as closed:
        pass
    assert not available(f"http://127.0.0.1:{closed.server_port}")
    assert list(home.iterdir()) == []


def test_broken_file_is_no_file_and_stays(server, home):
    weights_folder().mkdir()
    (weights_folder() / NAME).write_bytes(b"half of it")
    assert not available(f"{server.address}/missing")
    assert (weights_folder() / NAME).read_bytes() == b"half of it"


def test_nobody_is_asked_where_downloads_are_forbidden(server, monkeypatch):
    monkeypatch.setenv("HOTELVIZ_NO_DOWNLOAD", "1")
    assert not available(f"{server.address}/good")
    assert server.asked == []


def test_width_without_weights_is_refused():
    with pytest.raises(ModelError, match=r"alpha 1\.0, 0\.75, 0\.5, 0\.25; not 0\.3"):
        imagenet_weights_available(alpha=0.3)


def test_answer_that_is_no_http_is_no(server, home, monkeypatch):
    monkeypatch.setattr(
        Answer, "do_GET", lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9\r\n")
    )
    assert not available(server.address)
    assert list(home.iterdir()) == []
