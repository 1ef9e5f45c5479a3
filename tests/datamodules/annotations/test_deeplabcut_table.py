import numpy as np
import pytest

from datamodules.annotations.deeplabcut_table import has_label_header, read_csv
from datamodules.formats.errors import DataError

HEAD = "scorer,me,me\nbodyparts,a,a\ncoords,x,y\n"


def _read(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode(encoding))
    return read_csv(path)


def test_empty_cells_are_missing(tmp_path):
    table = _read(tmp_path, HEAD + "v/1.png,,\nv/2.png,1.5,-2\nv/3.png,NaN,nan\n")

    np.testing.assert_array_equal(table.values, [[np.nan] * 2, [1.5, -2], [np.nan] * 2])
    assert table.images == ("v/1.png", "v/2.png", "v/3.png")
    assert table.individuals == (None,)


def test_files_of_windows_are_read(tmp_path):
    text = "\ufeff" + HEAD.replace("\n", "\r\n") + "labeled-data\\v\\é.png,1,2\r\n"

    assert _read(tmp_path, text).images == ("labeled-data/v/é.png",)


def test_likelihoods_and_a_row_of_index_names_are_passed_over(tmp_path):
    text = "scorer,,,me,me,me\nbodyparts,,,a,a,a\ncoords,,,x,y,likelihood\nset,video,image,,,\nl,v,1.png,1,2,0.5\n"
    table = _read(tmp_path, text)

    assert table.images == ("l/v/1.png",)
    np.testing.assert_array_equal(table.values, [[1, 2]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty file"),
        ("frame,x,y\n0,1,2\n", "expected header rows scorer"),
        (HEAD.replace(",", ";") + "a.png;1;2\n", "expected header rows scorer"),
        (HEAD + "a.png,1\n", "3 cells in every row, found 2 in row 4"),
        (HEAD + "a.png,1,two\n", r"'two' for a\.png"),
        (HEAD + "a.png,1,\n", r"\[1\.0, nan\] for a in a\.png"),
        (HEAD + "a.png,1,inf\n", r"\[1\.0, inf\] for a in a\.png"),
        (HEAD + "a.png,1,2\na.png,1,2\n", r"one row for each image, found more for a\.png"),
        (HEAD + "v/a.png,1,2\nv\\a.png,3,4\n", r"one row for each image, found more for v/a\.png"),
        (HEAD + "v/a.png,1,2\n./v//a.png,3,4\nv/x/../a.png,5,6\n", r"found more for v/a\.png"),
        ("scorer,me\nbodyparts,a\ncoords,x\na.png,1\n", "only x of a"),
        ("scorer,me,me\nbodyparts,a,a\ncoords,x,x\na.png,1,2\n", "columns that repeat"),
        ("scorer,me,me\nbodyparts,a,a\ncoords,x,z\na.png,1,2\n", "one column x and one y"),
        ("scorer\nbodyparts\ncoords\na.png\n", "columns that repeat, or none"),
    ],
)
def test_malformed_tables_are_refused_and_located(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        _read(tmp_path, text)


def test_another_encoding_is_refused(tmp_path):
    with pytest.raises(DataError, match="CSV in UTF-8"):
        _read(tmp_path, HEAD + "é.png,1,2\n", encoding="latin-1")


def test_a_header_is_recognised_and_nothing_else(tmp_path):
    path = tmp_path / "labels.csv"
    for text, expected in ((HEAD, True), (HEAD.replace("bodyparts", "individuals,me,me\nbodyparts"), True)):
        path.write_text(text)
        assert has_label_header(path) is expected
    for content in (b"a,b\n1,2\n", b"", b"\xff\xfe\x00"):
        path.write_bytes(content)
        assert not has_label_header(path)
