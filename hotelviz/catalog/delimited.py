"""CSV files as spreadsheets and programs write them: other encodings, semicolons, ragged rows."""

from __future__ import annotations

import codecs
import csv
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from hotelviz.catalog.headers import column_of
from hotelviz.errors import CatalogError

#: A byte order mark says what a file is in; the longer ones first.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_DELIMITERS = (",", ";", "\t", "|")


def read_delimited(path: Path, encoding: str | None = None) -> pd.DataFrame:
    """Read a CSV file, everything as text: '007' is a hotel and 'NA' may be a name.

    Parameters
    ----------
    path
        The file.
    encoding
        By default what the byte order mark says, else UTF-8.

    Returns
    -------
    pandas.DataFrame
        Headers as they stand there; a cell without text is missing.

    Raises
    ------
    CatalogError
        Bytes that are not of the encoding, a row with more or fewer fields than the header, or a
        quote that is not closed: with the row.
    """
    with path.open("rb") as file:
        start = file.read(4)
    marked = next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)
    encoding = marked or encoding or "utf-8"
    try:
        utf8 = codecs.lookup(encoding).name in {"utf-8", "utf-8-sig", "ascii"}
    except LookupError as error:
        raise CatalogError(f"{path}: there is no encoding {encoding!r}") from error
    header, delimiter = _header(path, encoding)
    _check_row(f"{path}, row 1", encoding, header, header)
    names = [str(place) for place in range(len(header))]
    try:
        table = arrow_csv.read_csv(
            path,
            read_options=arrow_csv.ReadOptions(
                column_names=names,
                skip_rows_after_names=1,
                block_size=1 << 24,
                encoding="utf-8" if utf8 else encoding,
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string()),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except (pa.ArrowException, UnicodeDecodeError) as error:
        if _check_rows(path, encoding, header, delimiter) == 1:
            return pd.DataFrame(columns=header, dtype="str")
        raise CatalogError(f"{path}: not a readable CSV file: {error}") from error
    if b'"' in path.read_bytes() and any(map(_has_lines, table.columns)):
        # A quote that is not closed takes in the rows below it, up to the next quote.
        _check_rows(path, encoding, header, delimiter)
    frame = table.to_pandas()
    frame.columns = header
    return _without_blanks(frame)


def _header(path: Path, encoding: str) -> tuple[list[str], str]:
    """Read the header, by the first delimiter with which it has a column that is needed."""
    found: list[list[str]] = []
    for delimiter in _DELIMITERS:
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
            try:
                header = next(csv.reader(file, delimiter=delimiter))
            except StopIteration:
                raise CatalogError(
                    f"{path}: the file is empty; expected a header and rows"
                ) from None
            except csv.Error as error:
                raise CatalogError(f"{path}, row 1: not a readable header: {error}") from error
        if not header:
            raise CatalogError(f"{path}, row 1: is blank; expected a header")
        if any("\0" in name for name in header):
            raise CatalogError(
                f"{path}, row 1: has zero bytes, as UTF-16 without a byte order mark has; save it "
                "as UTF-8, or read it with encoding='utf-16-le'"
            )
        header = [name if name.strip() else f"Unnamed: {at}" for at, name in enumerate(header)]
        found.append(header)
        if len(header) > 1 and {"path", "image_id"} & set(map(column_of, header)):
            return header, delimiter
    return found[0], _DELIMITERS[0]


def _has_lines(column: pa.ChunkedArray) -> bool:
    return any(pc.any(pc.match_substring(column, end)).as_py() for end in "\n\r")


def _check_rows(path: Path, encoding: str, header: list[str], delimiter: str) -> int:
    """Refuse the first row that does not fit the header, slowly; return the number of rows."""
    row = 0
    with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
        try:
            for row, fields in enumerate(csv.reader(file, delimiter=delimiter, strict=True), 1):
                _check_row(f"{path}, row {row}", encoding, header, fields)
        except csv.Error as error:
            raise CatalogError(
                f"{path}, row {row + 1}: {error}: a quote is not closed, or stands within a value, "
                "where it has to be doubled"
            ) from error
    return row


def _check_row(where: str, encoding: str, header: list[str], fields: list[str]) -> None:
    for column, field in zip(header, fields, strict=False):
        wrong = next((ord(letter) for letter in field if "\udc80" <= letter <= "\udcff"), None)
        if wrong is not None:
            raise CatalogError(
                f"{where}: byte 0x{wrong - 0xDC00:02x} is not {encoding}; save it as UTF-8 "
                "(iconv -f cp1252 -t utf-8), or read it with encoding='cp1252' or another. It is "
                f"in the column {column.encode(errors='replace').decode()!r}"
            )
    if fields and len(fields) != len(header):
        what = "more" if len(fields) > len(header) else "fewer"
        raise CatalogError(
            f"{where}: has {len(fields)} fields, {what} fields than the header has columns "
            f"({len(header)}); a value that holds a delimiter stands in quotes"
        )


def _without_blanks(frame: pd.DataFrame) -> pd.DataFrame:
    """Drop blank lines at the end, and columns without a header or a value, as Excel leaves."""
    if len(frame) and frame.iloc[-1].isna().all():
        frame = frame[frame.notna().any(axis=1)[::-1].cummax()[::-1]]
    unnamed = frame.filter(regex="^Unnamed: ")
    return frame.drop(columns=unnamed.columns[unnamed.isna().all()])
