"""What a folder of reports has for a talk: their pages, and the figures that they exported."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from hotelviz.errors import ReportError
from hotelviz.io.atomic import written_files
from hotelviz.reports.page_head import Page, read_page

#: The folder of figures in a folder of reports: in it one for each page, called as the page.
FIGURES = "figures"
#: A slide's picture is this large at most: a projector has no more.
_WIDTH, _HEIGHT = 2560, 1440


class Figure(NamedTuple):
    """A figure that a report exported.

    Attributes
    ----------
    png : pathlib.Path
        The file; beside it is one with the ending ``.svg``.
    text : str
        What it shows: its alternative text.
    size : tuple of int
        Width and height in pixels.
    """

    png: Path
    text: str
    size: tuple[int, int]

    def address(self) -> str:
        """Return the picture, as large as a slide shows it, as an address of its own."""
        with Image.open(self.png) as picture:
            shown = picture.convert("RGBA")
        paper = Image.new("RGBA", shown.size, "white")
        paper.alpha_composite(shown)
        paper.thumbnail((_WIDTH, _HEIGHT))
        file = io.BytesIO()
        paper.convert("RGB").save(file, "WEBP", quality=88)
        return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


class Material:
    """The pages of a folder of reports, by report, and the figures beside them.

    Parameters
    ----------
    folder : pathlib.Path
        Of reports.

    Raises
    ------
    ReportError
        It is no folder.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ReportError(f"{folder}: there is no such folder; `hotelviz run` writes reports")
        self.folder = folder
        pages = [page for file in written_files(folder, "*.html") if (page := read_page(file))]
        # Of several pages of a report the one that is called as the report stands for it.
        pages.sort(key=lambda page: (page.file.stem != page.report, page.file.name))
        self.pages: dict[str, Page] = {}
        for page in pages:
            self.pages.setdefault(page.report, page)

    def place(self, report: str) -> Path:
        """Return the folder of a report's figures."""
        page = self.pages.get(report)
        return self.folder / FIGURES / (page.file.stem if page else report)

    def matches(self, report: str, name: str) -> list[str]:
        """Return what stands for ``*`` or ``**`` in the names of figures that are there, in order.

        Numbers in them count as numbers: 2 comes before 10.
        """
        before, after = name.replace("**", "*").split("*")
        found = written_files(self.place(report), f"{before}*{after}.png")
        texts = [file.stem[len(before) : len(file.stem) - len(after)] for file in found]
        numbered = [
            [int(part) if part.isdigit() else -1 for part in re.split(r"(\d+)", text)]
            for text in texts
        ]
        return [text for _, text in sorted(zip(numbered, texts, strict=True))]

    def figure(self, report: str, name: str) -> Figure | None:
        """Return a figure of a report, or None where it is not there.

        Raises
        ------
        ReportError
            The file is no picture.
        """
        png = self.place(report) / f"{name}.png"
        if not png.is_file():
            return None
        try:
            with Image.open(png) as picture:
                picture.load()
                text = str(picture.info.get("Description", ""))
                return Figure(png, text, picture.size)
        except (OSError, Image.DecompressionBombError) as error:
            raise ReportError(f"{png}: is no picture: {error}") from error
