"""Pages that hold galleries: what may run in them, and how they are written."""

from __future__ import annotations

import base64
import hashlib
import html
import os
import re
import shutil
from pathlib import Path
from urllib.parse import quote

from hotelviz.gallery.bundle import PAGE_STYLE, SCRIPT
from hotelviz.io.atomic import atomic_path

#: The sub-folders of galleries, as `Gallery.to_html` names them.
_OURS = re.compile(r"[0-9a-f]{12}")


def policy(script: str = SCRIPT) -> str:
    """Return the content security policy of pages: nothing is fetched from anywhere.

    Parameters
    ----------
    script : str, optional
        The only script that may run; by default the gallery's.

    Returns
    -------
    str
        Photos may come from the page or from the folder beside it; the script is known by its hash.

    Examples
    --------
    >>> policy().split("; ")[0]
    "default-src 'none'"
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; img-src data: blob: file: 'self'; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )


def files_folder(path: Path) -> str:
    """Return the name of the folder beside a page that holds photos beyond its budget."""
    return f"{path.stem}_photos"


def head(path: Path) -> str:
    """Return what belongs into the head of every page: policy, style, where photos lie."""
    return (
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy())}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="hotelviz:files" content="{quote(os.fsencode(files_folder(path)), safe="")}/">'
        f"<style>{PAGE_STYLE}</style>"
    )


def script() -> str:
    """Return the script element; it stands after the galleries."""
    return f'<script type="module">{SCRIPT}</script>'


def write_page(path: Path, page: str, files: Path | None = None) -> None:
    """Write a page whole or not at all, and put its photos beside it.

    Parameters
    ----------
    path : pathlib.Path
        The page.
    page : str
        Its text.
    files : pathlib.Path, optional
        A folder of galleries' sub-folders, if there is one.

    Raises
    ------
    OSError
        The page that was there is left as it was, with its photos.
    """
    target = path.parent / files_folder(path)
    fresh = sorted(files.iterdir()) if files is not None and files.is_dir() else []
    moved: list[Path] = []
    try:
        for folder in fresh:
            moved.append(target / folder.name)
            shutil.copytree(folder, target / folder.name)
        with atomic_path(path) as temporary:
            # Names of files may be no text at all.
            temporary.write_text(page, encoding="utf-8", errors="replace")
    except OSError:
        for folder in moved:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    _remove_photos(target, but=moved)


def remove_page(path: Path) -> None:
    """Remove a page that holds no longer, and its photos."""
    path.unlink(missing_ok=True)
    _remove_photos(path.parent / files_folder(path), but=[])


def _remove_photos(target: Path, *, but: list[Path]) -> None:
    """Remove the photos of galleries, except in some folders, and the folder if it is empty."""
    if target.is_dir():
        for folder in target.iterdir():
            if _OURS.fullmatch(folder.name) and folder not in but:
                shutil.rmtree(folder)
        if not any(target.iterdir()):
            target.rmdir()
