"""The labelling app's server: nobody is answered without its token, and nothing runs code."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import websocket
from served import APP, enter, press, status, wait_until


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
    press(page, "7")
    wait_until(lambda: scores.said("Zoe")["score"].tolist() == [7])
