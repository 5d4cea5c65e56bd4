"""Labelling: twelve raters at once whose server is killed, and from a key to the next photo.

A server here is what Voilà makes of the app: a process per rater's page, all of them writing to
one store. `kill -9` takes the server and all its processes at once, in the middle of whatever they
do, and a new server is started; the raters' pages connect anew and repeat the rating that was not
acknowledged, with the same key, as the app's page does.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pandas as pd
from common import results, run
from PIL import Image

from hotelviz.catalog import write_catalog
from hotelviz.labelling import open_store
from hotelviz.labelling.protocol import LabelProtocol

RATERS, OVERLAP, REPEATS, KILLS = 12, 3, 10, 3


# -- the server that is killed


class _Page(socketserver.StreamRequestHandler):
    """Serve one rater's page: a message a line, answers a line each."""

    def handle(self) -> None:
        protocol = LabelProtocol(open_store(os.environ["STORE"], create=False).round())
        for line in self.rfile:
            for answer in protocol.handle(json.loads(line)):
                self.wfile.write((json.dumps(answer.content) + "\n").encode())


class _Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    """A process for each page."""

    request_queue_size = 64


def serve(address: str) -> None:
    Path(address).unlink(missing_ok=True)
    with _Server(address, _Page) as server:
        server.serve_forever(0.05)


def start(store: str, address: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, __file__, "serve", address],
        env={**os.environ, "STORE": store},
        start_new_session=True,
    )


# -- a rater


class Rater(threading.Thread):
    """Rate all that one is given; repeat what was not acknowledged."""

    def __init__(self, name: str, address: str) -> None:
        super().__init__(name=name, daemon=True)
        self.address, self.acknowledged, self.waits = address, [], []
        self.repeated, self.trouble = 0, []

    def run(self) -> None:
        """Rate everything, once each."""
        items = self.connect()
        for item in items:
            message = {
                "type": "rate", "position": item["position"], "key": uuid.uuid4().hex,
                "score": int(item["position"] % 10) + 1, "seconds": 1.0,
            }  # fmt: skip
            started = time.perf_counter()
            while True:
                try:
                    answer = self.ask(message)
                except OSError:
                    self.repeated += 1
                    self.connect()
                    continue
                if answer["type"] == "saved":
                    break
                self.trouble.append(answer)
                if answer["type"] != "failed":
                    return
                time.sleep(0.2)
            self.waits.append(time.perf_counter() - started)
            self.acknowledged.append(message["key"])

    def connect(self) -> list[dict]:
        """Enter, as soon as there is a server; give what there is to rate."""
        while True:
            try:
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(self.address)
                self.file = connection.makefile("rw")
                connection.close()
                return self.ask({"type": "enter", "name": self.name})["items"]
            except OSError:
                time.sleep(0.05)

    def ask(self, message: dict) -> dict:
        """Send a message and give the answer."""
        self.file.write(json.dumps(message) + "\n")
        self.file.flush()
        line = self.file.readline()
        if not line.endswith("\n"):
            raise ConnectionError("the server is gone")
        return json.loads(line)


def twelve_raters(store: str, what: str, each: int) -> None:
    photos = (each - REPEATS) * RATERS // OVERLAP
    catalog = pd.DataFrame({"image_id": [f"photo-{number}" for number in range(photos)]})
    catalog = catalog.assign(
        path=catalog["image_id"], hotel_id="h" + (catalog.index // 20).astype(str)
    )
    labels = open_store(store).begin_round(
        catalog, n_raters=RATERS, overlap=OVERLAP, repeats=REPEATS
    )
    with tempfile.TemporaryDirectory() as folder:
        address = f"{folder}/server"
        server = start(store, address)
        raters = [Rater(f"rater {number + 1}", address) for number in range(RATERS)]
        started = time.perf_counter()
        for rater in raters:
            rater.start()
        kills = unacknowledged = 0
        while any(rater.is_alive() for rater in raters):
            done = sum(len(rater.acknowledged) for rater in raters)
            if kills < KILLS and done >= (kills + 1) * each * RATERS / (KILLS + 1):
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
                kills += 1
                time.sleep(0.3)  # until the raters have read what was sent before
                acknowledged = sum(len(rater.acknowledged) for rater in raters)
                unacknowledged += len(labels.ratings()) - acknowledged
                print(f"killed the server and its processes after {done:,} ratings", flush=True)
                server = start(store, address)
            time.sleep(0.02)
        took = time.perf_counter() - started
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    acknowledged = [key for rater in raters for key in rater.acknowledged]
    trouble = [one for rater in raters for one in rater.trouble]
    waits = np.array([wait for rater in raters for wait in rater.waits]) * 1000
    kept = labels.ratings(undone=True)
    times = kept["key"].value_counts()
    once = int((times.reindex(acknowledged, fill_value=0) == 1).sum())
    first = kept[kept["repeat"] == 0]
    per_photo = (
        first.groupby("image_id")["rater"].nunique().reindex(catalog["image_id"], fill_value=0)
    )
    per_rater = kept.groupby("rater").size()
    results.extend([
        (f"{what}: acknowledged ratings that are in the store exactly once",
         f"all, {KILLS} kills", f"{once:,} of {len(acknowledged):,}, {kills} kills"),
        (f"{what}: ratings in the store", f"{each * RATERS:,}", f"{len(kept):,}"),
        (f"{what}: different ratings of each photo", f"{OVERLAP}",
         f"{per_photo.min()} to {per_photo.max()}"),
        (f"{what}: ratings of each rater", "even to within one",
         f"{per_rater.min():,} to {per_rater.max():,}, {len(per_rater)} raters"),
        (f"{what}: ratings sent again after a kill", "",
         f"{sum(rater.repeated for rater in raters)}, {unacknowledged} of them had landed before"),
        (f"{what}: other answers than saved", "0", f"{len(trouble)} {trouble[:1] or ''}"),
        (f"{what}: from rating to acknowledgement", "",
         f"median {np.median(waits):.1f} ms, 99 % in {np.quantile(waits, 0.99):.0f} ms; "
         f"{len(acknowledged) / took:.0f} ratings/s"),
    ])  # fmt: skip


def sqlite(short: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        twelve_raters(f"{folder}/labels.sqlite", "SQLite", 110 if short else 1000)


def postgres(short: bool) -> None:
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not binaries:
        print("no PostgreSQL here (apt-get install postgresql): not measured")
        return
    with _postgres(binaries[-1]) as address:
        twelve_raters(address, "PostgreSQL", 110 if short else 1000)


@contextmanager
def _postgres(binaries: Path) -> Iterator[str]:
    """Start a PostgreSQL of one's own in a temporary folder."""
    folder = tempfile.mkdtemp()
    # It refuses to run as root.
    user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    if user:
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def call(*command: str) -> None:
        subprocess.run([*user, *command], check=True, cwd=folder, stdout=subprocess.DEVNULL)

    data, control = f"{folder}/data", str(binaries / "pg_ctl")
    call(str(binaries / "initdb"), "-D", data, "-A", "trust", "-U", "labels", "-E", "UTF8")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    call(control, "-D", data, "-o", options, "-l", f"{folder}/log", "-w", "start")
    try:
        yield f"postgresql://labels@127.0.0.1:{port}/postgres"
    finally:
        call(control, "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


# -- from key to next photo

_WATCH = """() => {
  const stage = document.querySelector('.hotelviz-label .stage');
  window.times = [];
  document.addEventListener('keydown', (event) => {
    const before = stage.dataset.position;
    const look = () => {
      const photo = stage.querySelector('img');
      // A frame after the one with the next photo in it: by then it was painted.
      if (stage.dataset.position !== before && photo && photo.complete && photo.naturalWidth) {
        requestAnimationFrame(() => window.times.push(performance.now() - event.timeStamp));
      } else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, true);
}"""


_VIEWPORT = {"width": 1600, "height": 1000}


def _rate_all(page, link: str, count: int) -> tuple[np.ndarray, str]:
    """Rate by key; the times from key to next photo, and how large photos are shown."""
    page.goto(link)
    page.fill(".hotelviz-label input", "Ada")
    page.keyboard.press("Enter")
    page.wait_for_selector(".hotelviz-label .stage img")
    page.wait_for_timeout(1500)
    page.evaluate(_WATCH)
    for number in range(count):
        page.keyboard.press(str(number % 10))
        page.wait_for_function("count => window.times.length === count", arg=number + 1)
        # Nobody rates faster than twice a second.
        page.wait_for_timeout(500)
    size = page.evaluate(
        "(() => { const one = document.querySelector('.stage img');"
        " return `${one.naturalWidth} x ${one.naturalHeight}`; })()"
    )
    return np.array(page.evaluate("window.times")), size


def keypress(short: bool) -> None:
    from playwright.sync_api import sync_playwright

    count = 20 if short else 100
    chromium = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    )
    if chromium is None:
        print("no Chromium here: not measured")
        return
    with tempfile.TemporaryDirectory() as folder:
        random = np.random.default_rng(0)
        paths = []
        for number in range(count + 5):
            coarse = random.integers(0, 255, (72, 108, 3), dtype="uint8")
            paths.append(f"{folder}/{number}.jpg")
            Image.fromarray(coarse).resize((2880, 1920)).save(paths[-1], quality=88)
        photos = pd.DataFrame({"path": paths}).assign(
            image_id=[Path(path).name for path in paths], hotel_id="h"
        )
        write_catalog(photos, f"{folder}/photos.csv")
        server = subprocess.Popen(
            [sys.executable, "-m", "hotelviz.cli", "label", f"{folder}/photos.csv", "--store",
             f"{folder}/labels.sqlite", "--raters", "1", "--overlap", "1", "--repeats", "0",
             "--port", "0"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            link = next(line.strip() for line in server.stdout if line.startswith("http"))
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
                )
                times, size = _rate_all(browser.new_page(viewport=_VIEWPORT), link, count)
                browser.close()
            kept = len(open_store(f"{folder}/labels.sqlite", create=False).round().ratings())
        finally:
            server.terminate()
            server.wait()
    results.extend([
        ("key presses a rating", "1", f"{count / kept:g} ({count} keys, {kept} ratings)"),
        ("from key to next photo, in the Voilà app", "median under 100 ms",
         f"median {np.median(times):.0f} ms, 95 % in {np.quantile(times, 0.95):.0f} ms, at most "
         f"{times.max():.0f} ms ({len(times)} keys; photos of 2880 x 1920 shown at {size})"),
    ])  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        with suppress(KeyboardInterrupt):
            serve(sys.argv[2])
    else:
        sections = {"raters": sqlite, "postgres": postgres, "keypress": keypress}
        run(__doc__ or "", sections, without_data=sections)
