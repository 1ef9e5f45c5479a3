import time

import pytest

from datamodules.formats import DataError, read_volume
from datamodules.formats.itk_text import MAXIMUM_HEADER, beside, counts, floats, one_of, read_head


@pytest.mark.parametrize("text", ["1 2", "1.5 -2e3", ".5 +2.", "nan NaN"])
def test_numbers_are_read(tmp_path, text):
    assert len(floats(tmp_path, "field", text, 2)) == 2


@pytest.mark.parametrize(
    "text", ["1", "1 2 3", "1 x", "1 2_0", "1 0x2", "1 inf", "1 1e31", "1 -1e300", "1 ٢", "1 1e9999"]
)
def test_what_is_no_number_is_refused(tmp_path, text):
    with pytest.raises(DataError, match="field: 2 numbers"):
        floats(tmp_path, "field", text, 2)


@pytest.mark.parametrize("text", ["1", "1 -2", "1 2.0", "1 1e3", "1 ٢", "1 " + "9" * 19, "1 " + "9" * 5000])
def test_what_is_no_count_is_refused(tmp_path, text):
    assert counts(tmp_path, "field", "1 20") == [1, 20]
    with pytest.raises(DataError, match="field: 2 whole numbers") as error:
        counts(tmp_path, "field", text, 2)
    assert len(error.value.found) < 100


def test_a_closed_list_names_what_is_known(tmp_path):
    assert one_of(tmp_path, "field", "b", {"a": "1", "b": "2"}) == "2"
    with pytest.raises(DataError, match="field: one of a, b, found 'c'"):
        one_of(tmp_path, "field", "c", {"a": "1", "b": "2"})


@pytest.mark.parametrize("name", ["é 1.raw", "a", "..raw", "x" * 255])
def test_a_data_file_beside_its_header_is_found(tmp_path, name):
    (tmp_path / name).touch()
    assert beside(tmp_path / "a.nhdr", name) == tmp_path / name


@pytest.mark.parametrize("name", ["x" * 256, "é" * 128, "a\nb", "..", ".", "a/../b"])
def test_other_names_are_refused(tmp_path, name):
    with pytest.raises(DataError, match="in the header's own folder"):
        beside(tmp_path / "a.nhdr", name)


def test_no_more_than_a_header_is_read(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(2 * MAXIMUM_HEADER))
    assert len(read_head(path)) == MAXIMUM_HEADER


@pytest.mark.parametrize(
    "line",
    [b"Offset = " + b" " * 10**6 + b"x", b"\n" * 10**6, b"=" * 10**6, b"1 " * 500_000, b"(" * 10**6, b'"' * 10**6],
    ids=["blanks", "line ends", "signs", "words", "brackets", "quotes"],
)
@pytest.mark.parametrize(
    "before", [b"space directions: ", b"space units: ", b"kinds: ", b"data file: ", b"NDims = 3\nDimSize = "]
)
def test_long_lines_take_no_long_time(tmp_path, line, before):
    path = tmp_path / ("a.mha" if b"NDims" in before else "a.nrrd")
    head = (
        b"" if b"NDims" in before else b"NRRD0004\ntype: short\ndimension: 3\nsizes: 1 1 1\nencoding: raw\nspace: LPS\n"
    )
    path.write_bytes(head + before + line + b"\n\n")
    start = time.process_time()
    with pytest.raises(DataError) as error:
        read_volume(path)
    assert time.process_time() - start < 2  # s
    assert len(str(error.value)) < 1000
