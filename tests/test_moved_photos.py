"""Photos that were moved since they were scored: found by the catalogue, or below a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from hotelviz.catalog import current_paths, write_catalog
from hotelviz.gallery import Gallery


@pytest.fixture
def photos(tmp_path: Path) -> pd.DataFrame:
    """The catalogue, whose photos lie in the folder ``new``."""
    paths = [tmp_path / "new" / "photos" / f"{name}.jpg" for name in "ab"]
    paths[0].parent.mkdir(parents=True)
    for path in paths:
        Image.new("RGB", (60, 40), "navy").save(path)
    ids = [f"photos/{path.name}" for path in paths]
    return pd.DataFrame({"image_id": ids, "path": map(str, paths)})


def on_page(gallery: Gallery, folder: Path) -> dict[str, Any]:
    markup = gallery.to_html(files=folder)
    return json.loads(markup.split('<script type="application/json">')[1].split("</script>")[0])


def live(gallery: Gallery) -> list[str]:
    """The errors of a live gallery, by row."""
    widget, said = gallery.widget(), []
    widget.send = lambda message, buffers=(): said.append(message)
    widget.answer({"type": "photos", "rows": list(range(len(gallery)))})
    return [photo["error"] for photo in said[0]["photos"]]


@pytest.mark.parametrize("then", ["photos/{}", "then/there/{}", "/then/there/{}"])
@pytest.mark.parametrize("found_by", ["root", "catalog"])
def test_photos_are_found_wherever_scoring_ran(photos, tmp_path, monkeypatch, then, found_by):
    """Scores keep the path of then, which may start from the folder in which scoring ran."""
    names = [Path(path).name for path in photos["path"]]
    scored = photos.assign(path=[then.format(name) for name in names])
    monkeypatch.chdir(tmp_path)
    tried = tmp_path / scored["path"][0]  # An absolute path stays what it is.
    lost = Gallery(scored)
    assert on_page(lost, tmp_path)["errors"]["0"] == live(lost)[0] == f"{tried}: missing"
    if found_by == "root":
        gallery = Gallery(scored, root="new")
    else:
        write_catalog(photos, tmp_path / "photos.csv")
        gallery = Gallery(current_paths(scored, tmp_path / "photos.csv"))
    content = on_page(gallery, tmp_path)
    assert content["errors"] == {}
    assert content["ids"] == photos["image_id"].tolist()
    assert live(gallery) == ["", ""]


def test_paths_follow_the_catalogue_and_other_photos_keep_theirs(photos):
    scored = pd.DataFrame({"image_id": [photos["image_id"][1], "z"], "score": [1.0, 2.0]})
    assert current_paths(scored, "") is scored
    assert current_paths(scored, photos)["path"].isna().tolist() == [False, True]
    kept = current_paths(scored.assign(path="old.jpg"), photos)["path"]
    assert kept.tolist() == [photos["path"][1], "old.jpg"]
