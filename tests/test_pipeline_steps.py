"""Steps: each once, side by side, whatever changes, fails or is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hotelviz.errors import OutputError, ReportError
from hotelviz.pipeline import Outcome, Step, run_steps


class Workshop:
    """Cheap steps that write a file and are counted."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log, self.steps = folder, list[str](), list[Step]()
        self.said: list[str] = []

    def add(self, name: str, *needs: str, action=None, **more) -> None:
        def act() -> None:
            self.log.append(name)
            if action:
                action()
            (self.folder / name).write_text("x")

        read = tuple(self.folder / need for need in needs)
        self.steps.append(
            Step(name, act, needs, inputs=read, outputs=(self.folder / name,), **more)
        )

    def run(self, **choices) -> Outcome:
        self.log.clear()
        return run_steps(self.steps, self.folder / "run.json", say=self.said.append, **choices)


@pytest.fixture
def workshop(tmp_path):
    made = Workshop(tmp_path)
    made.add("data")
    made.add("model", "data", key={"epochs": 1})
    made.add("report", "model")
    made.add("audit", "data")
    return made


def test_everything_is_done_once_and_counted(workshop):
    # As they are counted, whichever of the last two ended first.
    assert workshop.run().done == ["data", "model", "report", "audit"]
    assert "2 of 4, model: begins" in workshop.said
    again = workshop.run()
    assert workshop.log == []
    assert again.unchanged == ["data", "model", "report", "audit"]
    assert "4 of 4, audit: unchanged" in workshop.said


def test_changed_parameters_redo_a_step_and_only_what_reads_something_new(workshop):
    workshop.run()
    workshop.steps[1] = replace(workshop.steps[1], key={"epochs": 2})
    # The model is the same, byte by byte: its report needs not be made again.
    assert workshop.run().done == ["model"]
    (workshop.folder / "model").write_text("another")
    assert workshop.run().done == ["report"]


def test_missing_output_and_a_step_asked_for_are_done_again(workshop):
    workshop.run()
    (workshop.folder / "audit").unlink()
    assert workshop.run().done == ["audit"]
    assert workshop.run(again={"report"}).done == ["report"]


def test_files_in_folders_that_are_read_count(workshop):
    scores = workshop.folder / "scores"
    scores.mkdir()
    (scores / "part.parquet").write_text("one")
    workshop.steps.append(replace(workshop.steps[-1], name="ranking", inputs=(scores,)))
    workshop.run()
    (scores / ".part.lock").write_text("")
    assert workshop.run().done == []
    (scores / "part.parquet").write_text("another")
    assert workshop.run().done == ["ranking"]


def test_failure_keeps_only_that_from_being_done_which_needs_it(workshop):
    def fail() -> None:
        raise ReportError("the model is too small")

    workshop.add("why", "report")
    workshop.steps[1] = replace(workshop.steps[1], action=fail)
    outcome = workshop.run()
    assert outcome.done == ["data", "audit"]
    assert outcome.failed == {"model": "the model is too small"}
    assert outcome.not_done == {"report": "model", "why": "report"}
    told = str(outcome)
    assert "model failed: the model is too small" in told
    assert "why was not done: it needs report" in told
    assert workshop.run().failed  # it is tried again


def test_a_bug_shows_its_traceback_and_what_left_nothing_has_failed(workshop):
    workshop.steps[1] = replace(workshop.steps[1], action=lambda: 1 / 0)
    workshop.steps[3] = replace(workshop.steps[3], action=lambda: None)
    failed = workshop.run().failed
    assert "ZeroDivisionError" in failed["model"]
    assert "Traceback" in failed["model"]
    assert failed["audit"].startswith("it ended without leaving")


def test_reports_run_side_by_side_but_never_two_heavy_steps(tmp_path):
    workshop, both = Workshop(tmp_path), threading.Barrier(2, timeout=20)
    heavy = threading.Lock()

    def alone() -> None:
        assert heavy.acquire(blocking=False)
        both.wait()
        heavy.release()

    workshop.add("train", action=alone, heavy=True, seconds=100)
    workshop.add("train more", action=alone, heavy=True, seconds=90)
    for name in ("report", "audit"):
        workshop.add(name, action=both.wait, seconds=1)
    assert sorted(workshop.run(workers=2).done) == ["audit", "report", "train", "train more"]
    # The longest way is begun first.
    assert workshop.log[:2] == ["train", "report"]


def test_a_second_run_at_the_same_time_is_refused(workshop):
    refused: list[str] = []

    def meanwhile() -> None:
        try:
            run_steps([], workshop.folder / "run.json")
        except OutputError as error:
            refused.append(str(error))

    workshop.add("slow", action=meanwhile)
    workshop.run()
    assert "is being written by another run" in refused[0]


_STOPPED = """
import pathlib, signal, sys, time
from hotelviz.pipeline import Step, run_steps
# Where the tests run in the background the signal is ignored, and a child would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
folder = pathlib.Path(sys.argv[1])
def act(name):
    with (folder / "log").open("a") as log:
        log.write(name + " ")
    if name == "train" and not (folder / "go on").exists():
        (folder / "model").write_text("half")
        time.sleep(60)
    (folder / name).write_text("whole")
steps = [Step(name, lambda name=name: act(name), needs, outputs=(folder / left,))
         for name, needs, left in (("data", (), "data"), ("train", ("data",), "model"),
                                   ("report", ("train",), "report"))]
run_steps(steps, folder / "run.json")
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_goes_on_with_the_step_that_it_was_stopped_in(tmp_path, how):
    command = [sys.executable, "-c", _STOPPED, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        if (tmp_path / "model").exists():
            break
        time.sleep(0.1)
    process.send_signal(how)
    try:
        # Not after the minute that its step sleeps.
        assert process.wait(timeout=20) != 0
    finally:
        process.kill()
    (tmp_path / "go on").touch()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert (tmp_path / "log").read_text().split() == ["data", "train", "train", "report"]
