"""Photos from URLs: the same scores, listed failures, and never a secret in a message."""

from __future__ import annotations

import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote

import pandas as pd
import pytest

from hotelviz.catalog import read_catalog
from hotelviz.errors import ImageError, InferenceError, RemoteError
from hotelviz.images import read_image
from hotelviz.inference import score_photos
from hotelviz.io import remote
from hotelviz.io.remote import read_bytes
from hotelviz.models import build_aesthetic
from hotelviz.schema import Status
from hotelviz.scores import open_scores

pytest.importorskip("moto", reason="the extra 'dev' is not installed")


s3fs = pytest.importorskip("s3fs", reason="the extra 's3' is not installed")


KEY, SECRET = "AKIATESTTESTTEST", "a-very-secret-key-of-forty-letters-012345"


@pytest.fixture(scope="module")
def model(module_of_few_layers):
    return build_aesthetic(input_size=32, weights=None, backbone_kw={"alpha": 0.25})


@pytest.fixture
def credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(remote, "PAUSE", 0.01)
    # Connections are kept by their settings; where the server is stands in the environment.
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="module")
def s3_server():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Trouble(BaseHTTPRequestHandler):
    """A server that does what the path says, and counts how often it was asked."""

    asked: dict[str, int]

    def do_GET(self):
        path = self.path.partition("?")[0]
        self.asked[path] = self.asked.get(path, 0) + 1
        if "hang" in path:
            self.server.released.wait(20)
            return
        if "endless" in path:
            self.answer(200, None)
            try:
                while not self.server.released.is_set():
                    self.wfile.write(b"0" * 65536)
            except OSError:
                return
        elif "once" in path and self.asked[path] == 1:
            self.answer(503, b"")
        elif "broken" in path:
            self.answer(500, b"")
        elif "closed" in path:
            self.answer(403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message>"
                             b"</Error>")  # fmt: skip
        elif "gone" in path:
            self.answer(404, b"")
        elif "login" in path:
            self.answer(200, b"\n<!DOCTYPE html><title>Who are you?</title>", "text/html")
        elif "sends-on" in path:
            self.send_response(302)
            self.send_header("Location", unquote(self.path.partition("?to=")[2]))
            self.end_headers()
        elif "drip" in path:
            self.answer(200, None)
            try:
                while not self.server.released.wait(0.02):
                    self.wfile.write(b"0")
            except OSError:
                return
        else:
            self.answer(200, b"fine")

    do_HEAD = do_GET  # noqa: N815

    def answer(self, status, body, kind=None):
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        if body is not None:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def troubled(monkeypatch):
    """The address of a server in trouble, and the paths that it was asked for."""
    monkeypatch.setattr(remote, "PAUSE", 0.01)
    handler = type("Handler", (Trouble,), {"asked": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.released = threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler.asked
    server.released.set()
    server.shutdown()
    server.server_close()


def scores_of(folder: Path) -> pd.DataFrame:
    return open_scores(folder).query("SELECT * FROM scores ORDER BY image_id")


@pytest.mark.slow
def test_scores_from_s3_are_those_from_disk(
    demo_catalog, model, s3_server, credentials, monkeypatch, tmp_path, caplog
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    caplog.set_level(logging.DEBUG, logger="hotelviz")
    few = demo_catalog.head(12)
    system = s3fs.S3FileSystem(endpoint_url=s3_server)
    system.mkdir("photos")
    for photo in few.itertuples():
        if Path(photo.path).is_file():
            system.pipe_file(f"photos/{photo.image_id}", Path(photo.path).read_bytes())
    system.pipe_file("photos/empty.jpg", b"")
    far = few.assign(path="s3://photos/" + few["image_id"])
    far.loc[far.index[3], "path"] = "s3://photos/lost.jpg"
    far.loc[far.index[4], "path"] = "s3://photos/empty.jpg"
    score_photos(few, [model], tmp_path / "near", progress=False)
    score_photos(far, [model], tmp_path / "far", progress=False)
    near, found = scores_of(tmp_path / "near"), scores_of(tmp_path / "far")
    changed = near["image_id"].isin(few["image_id"].iloc[[3, 4]])
    same = near.columns.drop(["path", "size", "modified"])
    pd.testing.assert_frame_equal(
        near.loc[~changed, same], found.loc[~changed, same], check_dtype=False
    )
    problems = found.loc[changed].set_index("image_id")["error"].to_dict()
    assert problems == {
        few["image_id"].iloc[3]: "missing",
        few["image_id"].iloc[4]: "the file is empty",
    }
    assert SECRET not in caplog.text


def test_bucket_without_permission_stops_before_the_work(
    model, troubled, credentials, monkeypatch, tmp_path
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", troubled[0])
    photos = pd.DataFrame({"image_id": list("abcd"), "hotel_id": "h"})
    photos["path"] = "s3://closed/" + photos["image_id"]
    with pytest.raises(InferenceError, match=r"s3://closed: no permission .*AWS_PROFILE") as raised:
        score_photos(photos, [model], tmp_path / "scores", progress=False)
    assert SECRET not in str(raised.value)
    assert KEY not in str(raised.value)
    assert not list((tmp_path / "scores").glob("*.parquet"))


def test_single_photo_that_is_not_given_is_listed_as_unavailable(model, troubled, tmp_path):
    photos = pd.DataFrame({"image_id": ["a", "b", "c"], "hotel_id": "h"})
    photos["path"] = [f"{troubled[0]}/{name}.jpg" for name in ("gone", "closed", "login")]
    score_photos(photos, [model], tmp_path / "scores", progress=False)
    scores = open_scores(tmp_path / "scores")
    assert scores.errors()["error"].to_list() == [
        "missing", "no permission (status 403)",
        "the server answers with text/html, not with a photo",
    ]  # fmt: skip
    assert set(scores.query("SELECT status FROM scores")["status"]) == {"unavailable"}


def test_url_that_hangs_is_given_up_and_listed(model, troubled, monkeypatch, tmp_path):
    monkeypatch.setattr(remote, "TIMEOUT", 0.2)
    url, _ = troubled
    photos = pd.DataFrame({"image_id": ["a"], "hotel_id": "h", "path": f"{url}/hang.jpg"})
    started = time.perf_counter()
    score_photos(photos, [model], tmp_path / "scores", progress=False)
    assert time.perf_counter() - started < 15
    row = open_scores(tmp_path / "scores").errors().iloc[0]
    assert row["error"] == "failed 3 times: no answer within 0.2 s"


def test_failing_three_times_is_a_failure_and_twice_is_not(troubled):
    url, asked = troubled
    with pytest.raises(RemoteError, match="failed 3 times: the server answers with status 500"):
        read_bytes(f"{url}/broken.jpg")
    assert asked["/broken.jpg"] == 3
    assert read_bytes(f"{url}/once.jpg") == b"fine"
    with pytest.raises(FileNotFoundError):
        read_bytes(f"{url}/gone.jpg")
    assert asked["/gone.jpg"] == 1


def test_endless_file_is_not_read_to_its_end(troubled, monkeypatch):
    monkeypatch.setattr(remote, "MAX_BYTES", 1024**2)
    with pytest.raises(RemoteError, match="larger than 1 MB"):
        read_bytes(f"{troubled[0]}/endless.jpg")


def test_drip_fed_file_is_given_up_within_its_time(troubled):
    started = time.perf_counter()
    with pytest.raises(RemoteError, match=r"no answer within 0\.3 s"):
        read_bytes(f"{troubled[0]}/drip.jpg", timeout=0.3)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "localhost", "0.0.0.0",
        "[::1]", "[::ffff:127.0.0.1]", "[::ffff:a00:1]", "[64:ff9b::a00:1]", "[2002:a00:1::]",
        "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "[fe80::1]", "[fd00::1]",
        "100.64.0.1",
    ],
)  # fmt: skip
def test_redirect_to_this_machine_or_its_network_is_refused_unless_allowed(troubled, host):
    url, asked = troubled
    to = f"http://{host}:{url.rpartition(':')[2]}/target.jpg"
    with pytest.raises(RemoteError, match="HOTELVIZ_ALLOW_PRIVATE_REDIRECTS=1") as raised:
        read_bytes(f"{url}/sends-on.jpg?to={quote(to)}")
    assert host.strip("[]") in str(raised.value)
    assert "/target.jpg" not in asked


@pytest.mark.parametrize("how", ["parameter", "variable"])
def test_redirect_that_is_allowed_is_followed_hop_by_hop(troubled, monkeypatch, how):
    url, _ = troubled
    once = f"{url}/sends-on.jpg?to={quote(url + '/target.jpg')}"
    twice = f"{url}/sends-on.jpg?to={quote(once, safe='')}"
    if how == "variable":
        monkeypatch.setenv("HOTELVIZ_ALLOW_PRIVATE_REDIRECTS", "1")
    allowed = True if how == "parameter" else None
    assert read_bytes(twice, allow_private_redirects=allowed) == b"fine"
    to = f"{url}/sends-on.jpg?to={quote('file:///etc/hostname')}"
    with pytest.raises(RemoteError, match="sends on to file:"):
        read_bytes(f"{url}/sends-on.jpg?to={quote(to, safe='')}", allow_private_redirects=allowed)
    round_about = f"{url}/sends-on.jpg?to=/sends-on.jpg%3Fto%3D{quote(quote('/sends-on.jpg'))}"
    with pytest.raises(RemoteError, match=r"sends on|status 302"):
        read_bytes(round_about, allow_private_redirects=allowed)


@pytest.mark.parametrize("to", ["file:///etc/hostname", "ftp://h/a", "gopher://h/a", "data:,x"])
def test_redirect_to_another_scheme_is_refused(troubled, to):
    with pytest.raises(RemoteError, match=f"sends on to {to.partition(':')[0]}:, which is refused"):
        read_bytes(f"{troubled[0]}/sends-on.jpg?to={quote(to)}")


@pytest.mark.parametrize(
    "template",
    [
        "file://{}", "local://{}", "simplecache::file://{}", "filecache::file://{}",
        "zip://a.jpg::file://{}", "FILE://{}", "memory://{}", "ftp://h{}", "github://o:r@m{}",
        "s3::file://{}", "dir::file://{}", "reference://a::file://{}",
    ],
)  # fmt: skip
def test_address_that_leads_to_the_disk_or_on_is_refused(tmp_path, template):
    file = tmp_path / "a.jpg"
    file.write_bytes(b"photo")
    url = template.format(file)
    with pytest.raises(RemoteError, match=r"is not known: photos are read from disk and from http"):
        read_bytes(url)
    with pytest.raises(ImageError) as raised:
        read_image(url)
    assert raised.value.status is Status.UNAVAILABLE


def test_address_in_a_bucket_is_no_chain(s3_server, credentials, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    (tmp_path / "a.jpg").write_bytes(b"photo")
    with pytest.raises((FileNotFoundError, RemoteError)):
        read_bytes(f"s3://bucket/a::file://{tmp_path}/a.jpg")


def test_credentials_of_a_url_reach_neither_scores_nor_errors(
    model, troubled, monkeypatch, tmp_path, capfd
):
    url = f"{troubled[0].replace('://', '://me:hunter2@')}/broken.jpg?X-Amz-Signature=abc123"
    file = tmp_path / "photos.csv"
    file.write_text(f"path\n{url}\n")
    photos = read_catalog(file)
    score_photos(photos, [model], tmp_path / "scores", progress=True)
    table = scores_of(tmp_path / "scores")
    with pytest.raises(ImageError) as raised:
        read_image(url)
    seen = "".join(capfd.readouterr()) + str(raised.value) + table.to_string()
    seen += (tmp_path / "scores" / "_hotelviz.json").read_text()
    assert "broken.jpg" in seen
    assert "hunter2" not in seen
    assert "abc123" not in seen
