import pytest

from datamodules.formats.errors import DataError
from datamodules.layouts.table_text import read_table


def read(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, lambda name: name in ("image", "label"))


def test_rows_have_the_numbers_of_a_spreadsheet(tmp_path):
    table = read(tmp_path, 'image,label\r\n\r\n " a" ,"b, ""c"""\r\n,\r\n"two\nlines",d\r\n'.replace(' " a" ', '" a"'))
    assert table.columns == ("image", "label")
    assert table.rows == (
        (3, {"image": "a", "label": 'b, "c"'}),
        (5, {"image": "two\nlines", "label": "d"}),
    )


def test_the_separator_is_the_one_of_the_known_columns(tmp_path):
    assert read(tmp_path, 'label;"image"\n1,5;x').rows[0][1] == {"label": "1,5", "image": "x"}
    assert read(tmp_path, "image\nno separator").rows[0][1] == {"image": "no separator"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfei\0m\0", "UTF-8"),
        (b"image\n\0", "byte of value 0"),
        ("", "an empty table"),
        ("\n,\n", "an empty table"),
        ("image,image\na,b", "'image' several times"),
        ("image,label\na", "2 cells in each row, found 1 in row 2"),
        ('image,label\n"a,b', "set apart by commas"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


def test_an_absent_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_table(tmp_path / "gone.csv", bool)


def test_empty_columns_at_the_end_as_of_a_spreadsheet_are_passed_over(tmp_path):
    table = read(tmp_path, "image,label,,\r\na,b,,\r\nc,d\r\n,,,\r\ne,,,,\r\n")
    assert table.columns == ("image", "label")
    assert [row for _, row in table.rows] == [
        {"image": "a", "label": "b"},
        {"image": "c", "label": "d"},
        {"image": "e", "label": ""},
    ]
    with pytest.raises(DataError, match="2 cells in each row, found 4 in row 2"):
        read(tmp_path, "image,label,,\na,b,,c")
    with pytest.raises(DataError, match="'' several times"):
        read(tmp_path, "image,,,label\na,,,b")


def test_a_first_line_that_names_the_separator_is_no_row(tmp_path):
    table = read(tmp_path, "\ufeffsep=;\r\nimage;label\r\na,1;b\r\n")
    assert table.rows == ((2, {"image": "a,1", "label": "b"}),)


def test_capital_letters_of_columns_do_not_count(tmp_path):
    assert read(tmp_path, "Image;LABEL\na;b").columns == ("image", "label")
