"""Serve the labelling app through Voilà, to people who know no notebooks.

The server listens on this machine unless told otherwise, and answers nobody without its token: it
refuses page, kernels and websockets. What the page needs comes from this machine alone.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hotelviz.errors import LabelError
from hotelviz.io.json_schemas import load_jsonschema

_JUPYTER = Path(__file__).parent / "static" / "jupyter"
#: What is shown without the token, in the place of Jupyter's form.
_LOGIN = Path(__file__).parent / "static" / "login.html.j2"

#: Those of Tornado, which log the addresses of what they refuse.
_LOGGERS = ("tornado.access", "tornado.application", "tornado.general")
#: What shows a widget; JupyterLab's other extensions have no place on the page.
_EXTENSIONS = [
    "anywidget",
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
]


def serve_labelling(
    notebook: Path,
    store: str,
    name: str,
    *,
    ip: str = "127.0.0.1",
    port: int = 8866,
    token: str = "",
    say: Callable[[str], object] = print,
) -> None:
    """Serve a round until it is interrupted.

    Parameters
    ----------
    notebook : pathlib.Path
        Shows the app, as ``label_photos.ipynb`` does: its parameters are ``store``, ``round`` and
        ``catalog``.
    store, name : str
        The store and the name of the round.
    ip : str, default "127.0.0.1"
        The address to listen on; ``0.0.0.0`` lets other machines in, those with the token.
    port : int, default 8866
        0 takes any free one.
    token : str
        What a link must carry; a random one by default.
    say : callable, default print
        Is told the link.

    Raises
    ------
    LabelError
        When the address cannot be listened on.
    """
    load_jsonschema()
    import nbformat
    import papermill
    from tornado.ioloop import IOLoop
    from traitlets.config import Config

    port = _free_port(ip, port)
    token = token or secrets.token_urlsafe(24)
    # Kernels find the package wherever it was started from; Jupyter finds the page's template.
    _prepend("PYTHONPATH", str(Path(__file__).parents[2]))
    _prepend("JUPYTER_PATH", str(_JUPYTER))
    from voila.app import Voila

    def without_token(record: logging.LogRecord) -> bool:
        # Logs have the addresses of what failed.
        record.msg, record.args = record.getMessage().replace(token, "***"), ()
        return True

    with tempfile.TemporaryDirectory(prefix="hotelviz-label-") as folder:
        page = Path(folder) / "label_photos.ipynb"
        address = store if "://" in store else str(Path(store).absolute())
        parameters = {"store": address, "round": name, "catalog": ""}
        source = papermill.iorw.load_notebook_node(str(notebook))
        nbformat.write(papermill.parameterize.parameterize_notebook(source, parameters), page)
        page.chmod(0o600)  # an address may carry a password
        app = Voila(config=Config(_settings(ip, port, token, folder)))
        shown = socket.gethostname() if ip in {"", "0.0.0.0", "::"} else ip
        host = f"[{shown}]" if ":" in shown else shown
        link = f"http://{host}:{port}/?token={quote(token)}"
        with warnings.catch_warnings(action="ignore"):
            app.initialize([str(page)])
            app.tornado_settings = app.tornado_settings | {"jinja2_env": _server_pages()}
            for logger in (app.log, *map(logging.getLogger, _LOGGERS)):
                logger.addFilter(without_token)
            # Its loop runs when it listens: a link that is told before leads nowhere.
            IOLoop.current().add_callback(say, link)
            app.start()


def _settings(ip: str, port: int, token: str, folder: str) -> dict[str, Any]:
    """Return Voilà's settings: nothing but the page, for nobody without the token."""
    return {
        "Voila": {
            "ip": ip, "port": port, "port_retries": 0, "token": token,
            "open_browser": False, "log_level": logging.WARNING,
            "connection_dir_root": folder,
            # No file of someone's settings may take the token away.
            "config_file_paths": [],
            # The link has the token: no other site and no log is told it.
            "tornado_settings": {"headers": {"Referrer-Policy": "no-referrer"}},
        },
        "VoilaConfiguration": {
            "template": "hotelviz", "allow_template_override": "NO",
            "allow_theme_override": "NO", "file_allowlist": [],
            "extension_allowlist": _EXTENSIONS,
            "prelaunch_hook": _let_pages_end_their_kernels,
        },
        # Whoever leaves without closing the page leaves a kernel behind.
        "MappingKernelManager": {"cull_idle_timeout": 600, "cull_interval": 60},
    }  # fmt: skip


def _server_pages() -> Any:
    """Return the server's pages beside the app: Jupyter's, but that of those without the token."""
    import jinja2
    from jupyter_server import DEFAULT_TEMPLATE_PATH_LIST

    own = jinja2.DictLoader({"login.html": _LOGIN.read_text(encoding="utf-8")})
    jupyter = jinja2.FileSystemLoader(DEFAULT_TEMPLATE_PATH_LIST)
    pages = jinja2.Environment(
        loader=jinja2.ChoiceLoader([own, jupyter]), autoescape=True, extensions=["jinja2.ext.i18n"]
    )
    pages.install_null_translations()  # type: ignore[attr-defined]
    return pages


def _let_pages_end_their_kernels(request: Any, **_: object) -> None:
    """Set the cookie with which a page that is left may end its kernel; Voilà itself does not."""
    _ = request.xsrf_token  # to ask for it sets it


def _prepend(variable: str, path: str) -> None:
    before = os.environ.get(variable)
    os.environ[variable] = os.pathsep.join([path, before] if before else [path])


def _free_port(ip: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((ip, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise LabelError(
                f"cannot listen on {ip}, port {port}: {reason}; choose another --port, or 0 for "
                "any free one"
            ) from error
        return int(listener.getsockname()[1])
