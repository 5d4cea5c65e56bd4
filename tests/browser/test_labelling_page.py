"""The labelling page: ratings by key, taken back, resumed, and never lost."""

from __future__ import annotations

import re
import resource
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from served import APP, Served, enter, press, saved, shown, wait_until

from hotelviz.labelling.widget import LabelWidget

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_one_key_rates_back_undoes_and_a_rater_resumes_where_they_stopped(scores, open_page):
    name = '<img src=x onerror="alert(1)"> "Ada" 🏨 عدا'
    page = open_page(scores.link)
    enter(page, name)
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
    assert again.get_attribute(f"{APP} .stage", "data-position") == "5"
    for _ in range(5):  # a key that is held down rates one photo
        again.keyboard.down("6")
    again.keyboard.up("6")
    saved(again)
    assert scores.said(name)["score"].tolist()[5:] == [6]


@pytest.fixture
def late(open_page):
    """Open pages whose first kernel, or every kernel, is not heard in time."""

    def open_(link: str, *, always: bool) -> Page:
        page = open_page()
        opened = []

        def answer(ours):
            kernel, is_late = ours.connect_to_server(), always or not opened
            opened.append(ours)

            def pass_on(message: str | bytes) -> None:
                if is_late and isinstance(message, bytes):
                    if b"request_states" in message:
                        return  # Voilà waits four seconds, and asks which widgets there are.
                    if b"comm_info_request" in message:
                        message = message.replace(b'"jupyter.widget"', b'"jupyter.nobody"')
                kernel.send(message)

            ours.on_message(pass_on)

        page.route_web_socket(re.compile("/channels"), answer)
        page.goto(link)
        return page

    return open_


def test_page_whose_kernel_answers_too_late_asks_again(scores, late):
    page = late(scores.link, always=False)
    page.get_by_role("status").filter(has_text="The server is busy").wait_for()
    enter(page, "Jo")
    assert page.evaluate("sessionStorage.length") == 0


def test_page_that_has_asked_in_vain_says_what_to_do(scores, late):
    page = late(scores.link, always=True)
    page.get_by_role("status").filter(has_text="The server is busy").wait_for()
    page.evaluate("sessionStorage.setItem('hotelviz-asked-again', 5)")
    page.get_by_role("status").filter(has_text="Reload this page in a minute").wait_for()


def test_two_tabs_of_one_rater_rate_no_photo_twice(scores, open_page):
    first, second = open_page(scores.link), open_page(scores.link)
    for page in (first, second):
        enter(page, "Bo")
    press(first, "4")
    press(first, "5")
    saved(first)
    second.keyboard.press("9")
    second.wait_for_function(
        "document.querySelector('.hotelviz-label .note').textContent.includes('another tab')"
    )
    shown(second, "[data-position='2']")
    press(second, "9")
    assert "another tab" in second.inner_text(f"{APP} .note")  # it can still be read
    saved(second)
    assert scores.said("Bo")[["position", "score"]].values.tolist() == [[0, 4], [1, 5], [2, 9]]


def test_photo_that_was_deleted_is_said_skipped_and_listed(scores, open_page):
    gone = scores.round
    eve = gone.enter("Eve")
    photo = gone.photos().set_index("photo").loc[gone.items(eve)[0].photo]
    kept = Path(photo["path"]).read_bytes()
    Path(photo["path"]).unlink()
    try:
        page = open_page(scores.link)
        enter(page, "Eve")
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
    # Jupyter connects anew to the kernel that its server starts; a page that is left meanwhile
    # throws that away.
    others = set(scores.kernels())  # of pages that were left
    page = open_page(
        scores.link,
        allowed="Kernel|WebSocket|kernel|404", thrown="Kernel connection disconnected",
    )  # fmt: skip
    enter(page, "Gus")
    own = set(scores.kernels()) - others
    assert len(own) == 1
    for kernel in own:
        psutil.Process(kernel).kill()
    page.keyboard.press("8")  # the next photo is shown only if it came before
    page.wait_for_function("Object.values(localStorage).join().includes('\"score\":8')")
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(scores.link)
    enter(page, "Gus")
    saved(page)
    assert scores.said("Gus")["score"].tolist() == [8]


def test_tags_are_given_by_key_and_markup_in_classes_stays_text(tags, open_page):
    page = open_page(tags.link)
    enter(page, "Ada")
    texts = [button.inner_text() for button in page.query_selector_all(f"{APP} .choices button")]
    assert texts[0].strip().endswith("<b>Pool</b>")
    press(page, "1")
    press(page, "3")
    saved(page)
    classes = tags.round.classes
    assert tags.said("Ada")["tag"].tolist() == [classes[0], classes[2]]
    assert page.query_selector(f"{APP} .choices b") is None
    rules = page.get_by_role("list", name="What counts as an area").get_by_role("listitem")
    assert [rule.inner_text() for rule in rules.all()] == ["<b>Pool</b> <i>indoor</i> pools too"]


def test_what_scores_mean_stands_beside_the_scale_for_eyes_and_screen_readers(scores, open_page):
    page = open_page(scores.link)
    enter(page, "Hal")
    shown = page.get_by_role("list", name="What the scores mean").get_by_role("listitem")
    meanings = [f"{score} {text}" for score, text in scores.round.anchors.items()]
    assert [item.inner_text() for item in shown.all()][:-1] == meanings
    assert list(scores.round.anchors) == [2, 5, 8]
    assert page.get_by_role("button", name=f"2 of 10: {scores.round.anchors[2]}").is_visible()


def test_link_without_its_token_says_in_a_sentence_what_to_do(scores, open_page):
    page = open_page(scores.address)
    assert page.inner_text("main p").split("\n") == [
        "Open the whole link that you were sent, which ends in ?token= and some letters, or ask "
        "whoever sent it for a new one."
    ]
    assert page.query_selector("form") is None


def test_server_that_is_gone_is_said_within_three_seconds(catalog, open_page, tmp_path):
    served = Served(catalog, tmp_path / "labels.sqlite", "--raters", "1", "--overlap", "1")
    page = open_page(served.link, allowed="ERR_|WebSocket|[Kk]ernel|Failed to fetch")
    enter(page, "Ivy")
    press(page, "7")
    saved(page)
    assert page.inner_text(f"{APP} > .warning") == ""
    family = [*psutil.Process(served.process.pid).children(recursive=True), served.process]
    for one in reversed(family):  # the server first
        one.kill()
    served.process.communicate()
    said = page.locator(f"{APP} > .warning", has_text="The server is gone.")
    said.wait_for(timeout=3000)
    assert said.get_attribute("role") == "alert"
    press(page, "4")
    page.locator(f"{APP} > .warning", has_text="The last rating is kept in this browser").wait_for()
    assert served.said("Ivy")["score"].tolist() == [7]


def test_rating_given_while_the_kernel_cannot_be_sent_to_is_sent_later(scores, open_page):
    page = open_page()
    page.clock.install()
    page.evaluate(
        """async (script) => {
          const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
          const widget = (await import(url)).default;
          const model = {
            sent: [], dead: false, off() {},
            on(_, hear) { this.hear = hear; },
            send(message) {
              if (this.dead) throw new Error("Cannot send");
              this.sent.push(message);
              const view = message.view;
              const say = (answer) => this.hear({ ...answer, view });
              if (message.type === "hello") {
                say({ type: "round", uid: "u", task: "scores", question: "?", choices: [],
                  reasons: [], anchors: [], rules: [], raters: ["Ada"], free: 0 });
              } else if (message.type === "enter") {
                const items = [0, 1].map((position) => ({ position, key: null, said: null }));
                say({ type: "state", rater: 1, name: "Ada", items, last: [] });
              } else if (message.type === "photos") {
                for (const position of message.positions) {
                  say({ type: "photo", position, error: "cannot be shown: missing" });
                }
              }
            },
          };
          window.model = model;
          const el = document.body.appendChild(document.createElement("div"));
          widget.render({ model, el });
        }""",
        LabelWidget(scores.round).get_state()["_esm"],
    )
    page.get_by_role("button", name="Ada").click()
    page.wait_for_selector(f"{APP} .stage button")
    page.evaluate("model.dead = true")
    page.get_by_role("button", name="Skip it").click()
    page.wait_for_function("document.querySelector('.saved').textContent === 'saving…'")
    page.evaluate("model.dead = false")
    page.clock.fast_forward(10_000)
    page.wait_for_function("model.sent.filter((one) => one.type === 'rate').length === 1")
    assert page.evaluate("model.sent.find((one) => one.type === 'rate').position") == 0
