"""Second areas, votes of labellers and rules of classes: read, refused by place, and learned."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from catalogues import many

from hotelviz.catalog import (
    catalog_hash,
    class_shares,
    class_votes,
    iterate_catalog,
    read_catalog,
    read_class_rules,
    split_catalog,
    write_catalog,
)
from hotelviz.errors import CatalogError, CatalogWarning

VOTED = (
    "path,label,label_2,Votes Foyer,votes-Reception,votes\n"
    "1.jpg,Foyer,Restaurant,2,1,3\n2.jpg,,,,3,3\n3.jpg,Pool,,,,\n"
)


def test_votes_and_second_areas_come_back_as_they_were_written(csv, tmp_path):
    photos = read_catalog(csv(VOTED))
    assert photos["label"].tolist() == ["Foyer", "Reception", "Pool"]
    assert photos["label_2"].tolist()[0] == "Restaurant"
    votes = class_votes(photos)
    assert votes.columns.tolist() == ["Foyer", "Reception"]
    assert votes[:2].values.tolist() == [[2, 1], [0, 3]]
    assert votes.loc[2].isna().all()
    for name in ("again.csv", "again.parquet"):
        write_catalog(photos, tmp_path / name)
        again = read_catalog(tmp_path / name)
        assert catalog_hash(again) == catalog_hash(photos)
        pd.testing.assert_frame_equal(class_votes(again), votes)


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("label,votes_Foyer", "Foyer,-1", "column 'votes_Foyer': '-1' is not a number of votes"),
        ("label,votes_Foyer", "Foyer,two", "column 'votes_Foyer': 'two' is not a number of votes"),
        ("label,votes_Foyer,votes_Pool", "Foyer,0,0", "column 'votes_Foyer': no class has a vote"),
        ("label,votes_Foyr", "Foyer,1", "'votes_Foyr' counts votes for 'Foyr', .*'Foyer'"),
        ("votes_Foyer,votes_Pool,votes", "2,1,4", "column 'votes': '4' is not what the votes"),
        ("votes_Foyer,votes_Pool", "0.5,0.3", "'votes_Foyer': '0.8' is what the votes .* add up"),
        ("label,label_2", "Foyer,Foyer", "column 'label_2': 'Foyer' is the label of this photo"),
        ("label,label_2", ",Foyer", "column 'label_2': 'Foyer' stands beside no label"),
        ("label,label_2", "Foyer,Bar", "column 'label_2': 'Bar' is not one of the 8 classes"),
    ],
)
def test_votes_and_areas_that_cannot_be_are_refused_by_their_place(csv, header, row, message):
    fine = "," * header.count(",")
    place = "" if "counts votes for" in message else "row 3, "
    with pytest.raises(CatalogError, match=rf"photos\.csv.*{place}.*{message}"):
        read_catalog(csv(f"path,{header}\n1.jpg,{fine}\n2.jpg,{row}\n"))


def test_ties_and_labels_that_most_did_not_choose_are_said(csv):
    table = "path,label,votes_Pool,votes_Foyer\n1.jpg,,1,1\n2.jpg,Foyer,2,1\n"
    with pytest.warns(CatalogWarning) as told:
        photos = read_catalog(csv(table))
    assert photos["label"].tolist() == ["Foyer", "Foyer"]
    tie, against = (str(one.message) for one in told)
    assert "row 2, column 'label': is empty, and several classes have most votes (1 for" in tie
    assert "row 3, column 'label': is not the class of most votes (1 for Foyer, 2 for" in against
    assert told[0].filename == __file__


def test_label_by_votes_is_there_where_only_labels_are_wanted(tmp_path):
    table = pd.DataFrame({"path": ["1.jpg"], "votes_Foyer": [1], "votes_Pool": [2]})
    table.to_parquet(tmp_path / "photos.parquet")
    (piece,) = iterate_catalog(tmp_path / "photos.parquet", columns=["label"])
    assert piece.columns.tolist() == ["image_id", "path", "hotel_id", "label"]
    assert piece["label"].tolist() == ["Pool"]


def test_votes_are_part_of_the_fingerprint_and_do_not_change_splits():
    photos = many()
    voted = photos.assign(votes_Bathroom=2.0, votes_Pool=1.0)
    second = photos.assign(label_2="Restaurant")
    hashes = {catalog_hash(one) for one in (photos, voted, second, voted.assign(votes_Pool=2))}
    assert len(hashes) == 4
    assert catalog_hash(voted) == catalog_hash(voted.assign(votes_Kitchen=0))
    expected = split_catalog(photos)["split"].tolist()
    assert split_catalog(voted)["split"].tolist() == expected
    assert split_catalog(second)["split"].tolist() == expected


def test_shares_are_of_votes_or_halves_of_two_areas_and_a_later_label_counts_alone():
    photos = pd.DataFrame({
        "label": ["Bar", "Bar", "Bar", "Bar", "Bar"],
        "label_2": [None, "Pool", "Spa", None, "Pool"],
        "votes_Bar": [3, None, None, 1, 1], "votes_Pool": [1, None, None, 2, 1],
        "votes_Spa": [4, None, None, None, None],
    })  # fmt: skip
    shares = class_shares(photos, ["Bar", "Pool"])
    assert shares.tolist() == [[0.75, 0.25], [0.5, 0.5], [1, 0], [1, 0], [0.5, 0.5]]
    assert class_shares(photos[1:2], ["Bar", "Pool"], second=0.2).tolist() == [[0.8, 0.2]]
    np.testing.assert_array_equal(class_shares(photos[["label"]], ["Pool", "Bar"])[:, 1], 1)


@pytest.mark.parametrize(
    ("photos", "second", "message"),
    [
        ({"label": ["Bar", None]}, 0.5, "row 1, column 'label': is empty"),
        ({"label": ["Bar", "Spa"]}, 0.5, "row 1, column 'label': 'Spa' is not one of the 2"),
        ({"path": ["a"]}, 0.5, "no column 'label'"),
        ({"label": ["Bar"]}, 1.5, "second=1.5"),
        ({"label": ["Bar"], "votes_Bar": [-1]}, 0.5, "row 0, column 'votes_Bar': -1 is not a"),
    ],
)
def test_what_has_no_shares_is_refused(photos, second, message):
    with pytest.raises(CatalogError, match=message):
        class_shares(pd.DataFrame(photos), ["Bar", "Pool"], second=second)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[Foyer]\nrule = "a" b\n', r"rules\.toml: is not TOML: .*line 2"),
        ('[Foyr]\nrule = "a"\n', r"\[Foyr\] is not one of the 2 classes .*'Foyer'"),
        ('[Foyer]\nrules = "a"\n', r"\[Foyer\]: has rules; expected one line"),
        ('Foyer = "a"\n', r"\[Foyer\]: has 'a'; expected one line"),
        ("[Foyer]\nrule = 1\n", "a text of 1 to 200 letters, not '1'"),
        (f'[Foyer]\nrule = "{"x" * 201}"\n', "a text of 1 to 200 letters"),
    ],
)
def test_rules_that_cannot_be_read_are_refused(tmp_path, text, message):
    (tmp_path / "rules.toml").write_text(text)
    with pytest.raises(CatalogError, match=message):
        read_class_rules(tmp_path / "rules.toml", ["Pool", "Foyer"])


def test_rules_come_in_the_order_of_the_classes(tmp_path):
    file = tmp_path / "rules.toml"
    file.write_text('[Foyer]\nrule = """a lounge\ncounts"""\n[Pool]\nrule = "indoors too"\n')
    rules = read_class_rules(file, ["Pool", "Foyer"])
    assert list(rules.items()) == [("Pool", "indoors too"), ("Foyer", "a lounge counts")]
    with pytest.raises(CatalogError, match=r"gone\.toml: the rules of classes cannot be read"):
        read_class_rules(tmp_path / "gone.toml")
