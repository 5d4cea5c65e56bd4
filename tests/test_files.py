"""Atomic writes."""

from __future__ import annotations

import pytest

from hotelviz.io.atomic import atomic_path


def test_error_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_new_file_has_the_permissions_of_an_ordinary_one(tmp_path):
    (tmp_path / "plain").touch()
    with atomic_path(tmp_path / "deep" / "table.csv") as temporary:
        temporary.write_text("new")
    target = tmp_path / "deep" / "table.csv"
    assert target.stat().st_mode == (tmp_path / "plain").stat().st_mode
