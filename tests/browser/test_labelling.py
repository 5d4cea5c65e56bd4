"""The labelling app in a real browser, as raters meet it: served by `hotelviz label`."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import numpy as np
import pandas as pd
import papermill
import psutil
import pytest
import websocket
from looks import THEMES, WIDTHS
from PIL import Image

from hotelviz.catalog import write_catalog
from hotelviz.labelling import LabelRound, open_store
from hotelviz.reports.run import find_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

EVIL = ['<img src=x onerror="alert(1)">', "a \"quoted\" 'name'", "🏨 غرفة نوم", "a & b < c"]
APP = ".hotelviz-label"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos with names that try to be markup, in two sizes, one on its side."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    rows = []
    for number in range(24):
        name = f"{EVIL[number % 4].replace('/', '')} {number}.jpg"
        size = (2400, 1600) if number == 1 else (640, 480) if number % 2 else (300, 460)
        top, bottom = random.integers(60, 230, (2, 3))
        ramp = np.linspace(0, 1, size[1])[:, None, None]
        pixels = np.broadcast_to(top * (1 - ramp) + bottom * ramp, (size[1], size[0], 3))
        Image.fromarray(pixels.astype("uint8")).save(folder / name)
        rows.append({"image_id": name, "path": str(folder / name), "hotel_id": f"h{number // 4}",
                     "label": ["<b>Pool</b>", "🏊 & \"bar\"", "غرفة نوم"][number % 3]})  # fmt: skip
    write_catalog(pd.DataFrame(rows), folder / "photos.csv")
    return folder / "photos.csv"


class Served:
    """A served round: its link, its process and its store."""

    def __init__(self, catalog: Path, store: Path, *options: str) -> None:
        command = [sys.executable, "-m", "hotelviz.cli", "label", str(catalog)]
        command += ["--store", str(store), "--port", "0", *options]
        self.log = store.with_suffix(".log")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        self.link = next((line for line in self.process.stdout if line.startswith("http")), "")
        self.link = self.link.strip()
        assert self.link, "the app did not start"
        self.store = store
        self.address = self.link.partition("?")[0]

    @property
    def round(self) -> LabelRound:
        return open_store(self.store, create=False).round()

    def said(self, rater: str) -> pd.DataFrame:
        table = self.round.ratings()
        return table[table["rater"] == rater]

    def kernels(self) -> list[int]:
        found = []
        for one in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                if "ipykernel" in " ".join(one.cmdline()):
                    found.append(one.pid)
        return found

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=10)


@pytest.fixture(scope="module")
def scores(catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store = tmp_path_factory.mktemp("store") / "labels.sqlite"
    served = Served(catalog, store, "--raters", "8", "--overlap", "8", "--gold", "2")
    yield served
    served.stop()


@pytest.fixture(scope="module")
def tags(catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store = tmp_path_factory.mktemp("store") / "tags.sqlite"
    served = Served(catalog, store, "--raters", "2", "--overlap", "2", "--task", "tags",
                    "--classes", "any")  # fmt: skip
    yield served
    served.stop()


def enter(page: Page, name: str) -> None:
    page.fill(f"{APP} input", name)
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{APP} .stage[data-place]")


def press(page: Page, key: str) -> None:
    """Press a key that ends in another photo, and wait for that one."""
    before = page.get_attribute(f"{APP} .stage", "data-place")
    page.keyboard.press(key)
    page.wait_for_function(
        "before => { const stage = document.querySelector('.hotelviz-label .stage');"
        " return stage.dataset.place !== before && stage.querySelector('img, button, .large'); }",
        arg=before,
    )


def wait_until(what: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def saved(page: Page) -> None:
    page.wait_for_function(
        "document.querySelector('.hotelviz-label .saved').textContent === 'saved'"
    )


def test_one_key_rates_back_undoes_and_a_rater_resumes_where_they_stopped(scores, open_page):
    name = '<img src=x onerror="alert(1)"> "Ada" 🏨 عدا'
    page = open_page(scores.link)
    enter(page, name)
    page.wait_for_selector(f"{APP} .stage img")
    for key in "7530":
        press(page, key)
    press(page, "ArrowLeft")
    assert "Before, you said: 10" in page.inner_text(f"{APP} .note")
    press(page, "2")
    page.keyboard.press("s")
    page.keyboard.press("2")
    saved(page)
    page.wait_for_function(
        "document.querySelector('.hotelviz-label').innerText.includes('5 of 26')"
    )
    table = scores.said(name)
    assert table["score"].tolist()[:4] == [7, 5, 3, 2]
    assert table["reason"].tolist()[4] == "I cannot decide"
    assert (table["seconds"].dropna() > 0).all()
    assert page.inner_text(f"{APP} .who") == name
    page.goto("about:blank")
    wait_until(lambda: not scores.kernels())  # whoever leaves takes their kernel along

    again = open_page(scores.link)
    again.get_by_role("button", name=name).click()
    again.wait_for_selector(f"{APP} .stage img")
    assert "5 of 26" in again.inner_text(APP)
    assert again.get_attribute(f"{APP} .stage", "data-place") == "5"
    for _ in range(5):  # a key that is held down rates one photo
        again.keyboard.down("6")
    again.keyboard.up("6")
    saved(again)
    assert scores.said(name)["score"].tolist()[5:] == [6]


def test_two_tabs_of_one_rater_rate_no_photo_twice(scores, open_page):
    first, second = open_page(scores.link), open_page(scores.link)
    for page in (first, second):
        enter(page, "Bo")
        page.wait_for_selector(f"{APP} .stage img")
    press(first, "4")
    press(first, "5")
    saved(first)
    second.keyboard.press("9")
    second.wait_for_function(
        "document.querySelector('.hotelviz-label .note').textContent.includes('another tab')"
    )
    second.wait_for_function("document.querySelector('.stage').dataset.place === '2'")
    press(second, "9")
    saved(second)
    assert scores.said("Bo")[["place", "score"]].values.tolist() == [[0, 4], [1, 5], [2, 9]]


def test_photo_that_was_deleted_is_said_skipped_and_listed(scores, open_page):
    gone = scores.round
    seat = gone.take_seat("Eve")
    photo = gone.photos().set_index("photo").loc[gone.items(seat)[0].photo]
    kept = Path(photo["path"]).read_bytes()
    Path(photo["path"]).unlink()
    try:
        page = open_page(scores.link)
        enter(page, "Eve")
        page.wait_for_selector(f"{APP} .stage button")
        assert "This photo cannot be shown: missing." in page.inner_text(f"{APP} .stage")
        page.keyboard.press("7")  # no score for what nobody saw
        press(page, "Enter")
        saved(page)
    finally:
        Path(photo["path"]).write_bytes(kept)
    table = scores.said("Eve")
    assert table[["image_id", "reason"]].values.tolist() == [
        [photo["image_id"], "cannot be shown: missing"]
    ]


def test_rating_that_the_disk_does_not_take_is_kept_and_retried_until_it_lands(scores, open_page):
    page = open_page(scores.link)
    enter(page, "Flo")
    page.wait_for_selector(f"{APP} .stage img")
    kernels = scores.kernels()
    try:
        for kernel in kernels:
            resource.prlimit(kernel, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        press(page, "8")
        press(page, "3")
        page.wait_for_selector(f"{APP} .saved.trouble")
        text = page.inner_text(f"{APP} .saved")
        assert "2 not saved yet" in text
        assert "the disk does not take it" in text
        assert "retrying" in text
        assert scores.said("Flo").empty
        kept = page.evaluate("Object.values(localStorage).join()")
        assert '"score":8' in kept
    finally:
        for kernel in kernels:
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(kernel, resource.RLIMIT_FSIZE, unlimited)
    saved(page)
    assert scores.said("Flo")["score"].tolist() == [8, 3]
    assert page.evaluate("localStorage.length") == 0


def test_kernel_that_dies_loses_no_rating(scores, open_page):
    page = open_page(scores.link, allowed="Kernel|WebSocket|kernel|404")
    enter(page, "Gus")
    page.wait_for_selector(f"{APP} .stage img")
    before = set(scores.kernels())
    for kernel in before:
        psutil.Process(kernel).kill()
    press(page, "8")
    page.wait_for_function("Object.values(localStorage).join().includes('\"score\":8')")
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(scores.link)
    enter(page, "Gus")
    saved(page)
    assert scores.said("Gus")["score"].tolist() == [8]


def test_tags_are_given_by_key_and_markup_in_classes_stays_text(tags, open_page):
    page = open_page(tags.link)
    enter(page, "Ada")
    page.wait_for_selector(f"{APP} .stage img")
    texts = [button.inner_text() for button in page.query_selector_all(f"{APP} .choices button")]
    assert texts[0].strip().endswith("<b>Pool</b>")
    press(page, "1")
    press(page, "3")
    saved(page)
    classes = tags.round.classes
    assert tags.said("Ada")["tag"].tolist() == [classes[0], classes[2]]
    assert page.query_selector(f"{APP} .choices b") is None


def status(address: str, *, method: str = "GET", **headers: str) -> int:
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    request = urllib.request.Request(address, method=method, headers=headers)
    try:
        with urllib.request.build_opener(Stay).open(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_nothing_is_answered_without_the_token(scores, open_page):
    page = open_page(scores.link)
    page.wait_for_selector(f"{APP} input")
    config = page.evaluate("document.querySelector('#jupyter-config-data').textContent")
    kernel = json.loads(config)["kernelId"]
    address = scores.address
    assert status(scores.link) == 200
    assert status(address) == 302  # to a form that asks for the token
    assert status(f"{address}?token=wrong") == 302
    assert status(f"{address}api/kernels/{kernel}") == 403
    assert status(f"{address}voila/api/shutdown/{kernel}", method="POST") == 403
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
              "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip
    assert status(f"{address}api/kernels/{kernel}/channels", **upgrade) == 403
    assert status(f"{address}voila/files/label_photos.ipynb") == 403
    # Of this machine alone.
    listening = [one for one in psutil.Process(scores.process.pid).net_connections("tcp")
                 if one.status == psutil.CONN_LISTEN]  # fmt: skip
    assert {one.laddr.ip for one in listening} == {"127.0.0.1"}


def test_token_is_in_no_referrer_log_or_list_of_processes(scores, open_page):
    page = open_page()
    asked = []
    page.on("request", lambda request: asked.append(request.all_headers()))
    answer = page.goto(scores.link)
    page.wait_for_selector(f"{APP} input")
    assert answer.headers["referrer-policy"] == "no-referrer"
    token = scores.link.partition("token=")[2]
    assert len(token) >= 32
    assert len(asked) > 5
    assert not [headers for headers in asked if token in headers.get("referer", "")]
    # Failures are logged, with their addresses.
    for place in ("nothing", "voila/files/x", "api/kernels/x"):
        assert status(f"{scores.address}{place}?token={token}") >= 300
    assert token not in scores.log.read_text()
    server = psutil.Process(scores.process.pid)
    for one in [server, *server.children(recursive=True)]:
        assert token not in " ".join(one.cmdline())


def hostile_messages(marker: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """What whoever has the link may say to a kernel, channel by channel, to make it run code."""
    code = f"open({str(marker)!r}, 'w').close()"
    shell = {
        "execute_request": {"code": code, "silent": False, "store_history": True,
                            "user_expressions": {"x": code}, "allow_stdin": False},
        "inspect_request": {"code": code, "cursor_pos": 3, "detail_level": 1},
        "complete_request": {"code": code, "cursor_pos": 3},
        "history_request": {"hist_access_type": "tail", "n": 9, "output": True, "raw": True},
        "is_complete_request": {"code": code},
        "connect_request": {},
        "apply_request": {"code": code},
        "create_subshell_request": {},
        "list_subshell_request": {},
        "usage_request": {},
        "debug_request": {"type": "request", "command": "evaluate", "seq": 1,
                          "arguments": {"expression": code}},
        "input_reply": {"value": code},
        "interrupt_request": {},
        "%run": {"code": code},
    }  # fmt: skip
    for channel in ("shell", "control", "stdin"):
        for kind, content in shell.items():
            yield channel, {"msg_type": kind, "content": content}
    for target in (
        "jupyter.widget",
        "jupyter.widget.control",
        "os.system",
        "__main__",
        "matplotlib",
    ):
        state = {"_model_module": "anywidget", "_model_name": "AnyModel", "_esm": code,
                 "_view_name": "AnyView", "msg_id": "x", "value": code}  # fmt: skip
        yield "shell", {
            "msg_type": "comm_open",
            "content": {"comm_id": target, "target_name": target, "target_module": "os",
                        "data": {"state": state, "method": "update"}},
        }  # fmt: skip
        for data in ({"method": "update", "state": state}, {"method": "custom", "content": code},
                     {"method": "request_states"}, {"method": code}):  # fmt: skip
            yield "shell", {"msg_type": "comm_msg", "content": {"comm_id": target, "data": data}}


def test_no_message_to_the_kernel_runs_code_and_no_other_origin_is_answered(
    scores, open_page, tmp_path
):
    page = open_page(scores.link, allowed="Comm not found|Could not open comm")
    page.wait_for_selector(f"{APP} input")
    config = json.loads(page.evaluate("document.querySelector('#jupyter-config-data').textContent"))
    cookies = "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies())
    channels = f"{scores.address}api/kernels/{config['kernelId']}/channels"
    channels = channels.replace("http", "ws", 1)
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        websocket.create_connection(channels, cookie=cookies, origin="http://evil.example")
    connection = websocket.create_connection(
        channels, cookie=cookies, origin=scores.address.rstrip("/"), timeout=10
    )
    marker = tmp_path / "ran"
    sent = 0
    for channel, message in hostile_messages(marker):
        header = {"msg_id": uuid.uuid4().hex, "username": "x", "session": "x", "version": "5.3"}
        connection.send(
            json.dumps({"header": {**header, "msg_type": message["msg_type"]}, "metadata": {},
                        "parent_header": {}, "content": message["content"], "buffers": [],
                        "channel": channel})
        )  # fmt: skip
        sent += 1
    assert sent > 60
    # It answers what it is asked last, and has answered nothing else by then.
    asked = {"msg_id": "last", "username": "x", "session": "x", "version": "5.3"}
    connection.send(
        json.dumps({"header": {**asked, "msg_type": "kernel_info_request"}, "metadata": {},
                    "parent_header": {}, "content": {}, "buffers": [], "channel": "shell"})
    )  # fmt: skip
    heard = set()
    while True:
        answer = json.loads(connection.recv())
        heard.add(answer["header"]["msg_type"])
        if answer["parent_header"].get("msg_id") == "last" and "info" in answer["msg_type"]:
            break
    connection.close()
    assert not heard & {"execute_reply", "execute_result", "complete_reply", "inspect_reply",
                        "history_reply", "debug_reply", "create_subshell_reply"}  # fmt: skip
    assert not marker.exists()
    # The kernel is this page's own: the round goes on.
    page.goto(scores.link)
    page.wait_for_selector(f"{APP} input")
    enter(page, "Zoe")
    page.wait_for_selector(f"{APP} .stage img")
    press(page, "7")
    wait_until(lambda: scores.said("Zoe")["score"].tolist() == [7])


@pytest.mark.parametrize("theme", THEMES)
def test_pages_are_accessible_and_fit_every_width(
    theme: str, scores: Served, tags: Served, open_page: Callable[..., Page],
    axe: Callable[..., list[str]], shots: Path,
) -> None:  # fmt: skip
    page = open_page(scores.link, theme=theme)
    other = open_page(tags.link, theme=theme)
    page.wait_for_selector(f"{APP} input")

    def look(what: str, page: Page) -> None:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 740 if width < 500 else 1000})
            page.wait_for_timeout(60)
            page.screenshot(path=shots / f"label-{what}-{width}-{theme}.png")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            if width < 500:
                assert axe(page) == []
        page.set_viewport_size({"width": 1200, "height": 900})
        assert axe(page) == []

    look("name", page)
    enter(page, "Iris")
    page.wait_for_selector(f"{APP} .stage img")
    look("photo", page)
    page.keyboard.press("s")
    look("skip", page)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    look("help", page)
    enter(other, "Ada")
    other.wait_for_selector(f"{APP} .stage img")
    look("tags", other)


def test_in_jupyterlab_the_app_keeps_its_keys_from_the_notebook(catalog, open_page, tmp_path):
    notebook = papermill.parameterize.parameterize_notebook(
        papermill.iorw.load_notebook_node(str(find_notebook("label_photos"))),
        {"store": str(tmp_path / "labels.sqlite"), "catalog": str(catalog), "raters": 1,
         "overlap": 1},
    )  # fmt: skip
    nbformat.write(notebook, tmp_path / "label.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"]
    command += [f"--ServerApp.port={port}", "--IdentityProvider.token=token"]
    command += [f"--ServerApp.root_dir={tmp_path}", "--LabApp.news_url=None"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    lab = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(port), 30)
        page = open_page(f"http://127.0.0.1:{port}/lab/tree/label.ipynb?token=token")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        page.wait_for_selector(f"{APP} input")
        enter(page, "Lab")
        page.click(f"{APP} .stage img")
        cells = (
            "['Code', 'Markdown', 'Raw'].map("
            "kind => document.querySelectorAll(`.jp-${kind}Cell`).length).join()"
        )
        before = page.evaluate(cells)
        for key in "1ddxabm":  # in a notebook: a heading, and cells deleted, cut, added, changed
            page.keyboard.press(key)
        page.wait_for_function("document.querySelector('.stage').dataset.place === '1'")
        press(page, "3")
        saved(page)
        assert page.evaluate(cells) == before
        labels = open_store(tmp_path / "labels.sqlite", create=False).round()
        assert labels.ratings()["score"].tolist() == [1, 3]
        page.context.close()  # before the server goes, or the page says that it is gone
    finally:
        lab.terminate()
        lab.wait(20)


def answers(port: int) -> bool:
    try:
        return status(f"http://127.0.0.1:{port}/login") == 200
    except OSError:
        return False
