import pytest

from datamodules.formats.errors import DataError
from datamodules.layouts.bids_names import parse_name
from datamodules.layouts.bids_table import read_label_tables


def label(root, name="sub-1_desc-aseg_dseg"):
    path = root / "sub-1" / "anat" / f"{name}.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    return parse_name(path, name)


def write(path, *rows, header="index\tname"):
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def test_tables_at_the_top_hold_for_labels_that_have_their_entities(tmp_path):
    write(tmp_path / "dseg.tsv", "1\tliver")
    write(tmp_path / "desc-aseg_dseg.tsv", "2\tspleen\tred", header="index\tname\tcolor")
    write(tmp_path / "desc-other_dseg.tsv", "1\tsomething else")
    assert read_label_tables([tmp_path], [label(tmp_path)]) == {"spleen": 2, "liver": 1}


def test_a_table_beside_a_label_adds_to_them(tmp_path):
    file = label(tmp_path)
    write(file.path.with_name("sub-1_desc-aseg_dseg.tsv"), "3\tkidney", "0\tbackground")
    assert read_label_tables([tmp_path], [file]) == {"kidney": 3, "background": 0}


def test_without_tables_nothing_is_declared(tmp_path):
    assert read_label_tables([tmp_path], [label(tmp_path)]) is None


@pytest.mark.parametrize("other", ["1\tspleen", "2\tliver"])
def test_tables_that_contradict_each_other_are_refused(tmp_path, other):
    write(tmp_path / "dseg.tsv", "1\tliver")
    write(tmp_path / "desc-aseg_dseg.tsv", other)
    with pytest.raises(DataError, match="one value for each name"):
        read_label_tables([tmp_path], [label(tmp_path)])


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("index\tlabel", "1\tliver", "the columns index and name"),
        ("index\tname", "x\tliver", "'x' and 'liver' in row 2"),
        ("index\tname", "1\t", "'1' and '' in row 2"),
        ("index\tname", "-1\tliver", "'-1' and 'liver'"),
    ],
)
def test_tables_that_are_not_understood_are_refused(tmp_path, header, row, message):
    write(tmp_path / "dseg.tsv", row, header=header)
    with pytest.raises(DataError, match=message):
        read_label_tables([tmp_path], [label(tmp_path)])
