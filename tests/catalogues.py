"""Catalogues that are made up for tests; of files that need not be there."""

from __future__ import annotations

import pandas as pd

from hotelviz.schema import AREAS

#: Of a CSV file; the fixture `csv` writes it.
HEADER = "path,hotel_id,position,label\n"


def many(hotels: int = 40) -> pd.DataFrame:
    rows = [
        {
            "image_id": f"{hotel}-{area}-{n}",
            "path": f"{hotel}-{area}-{n}.jpg",
            "hotel_id": f"h{hotel}",
            "label": area,
        }
        for hotel in range(hotels)
        for area in AREAS[:4]
        for n in range(1 + (hotel + len(area)) % 2)
    ]
    return pd.DataFrame(rows)
