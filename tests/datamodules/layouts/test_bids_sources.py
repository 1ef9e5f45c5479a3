import json

import pytest

from datamodules.formats.errors import DataError
from datamodules.layouts.bids_sources import derivatives_of, is_derivative, raw_source


def describe(root, **content):
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset_description.json").write_text(json.dumps(content), encoding="utf-8")
    return root


def test_a_data_set_says_what_it_is(tmp_path):
    assert not is_derivative(tmp_path)
    assert not is_derivative(describe(tmp_path / "raw", DatasetType="raw"))
    assert is_derivative(describe(tmp_path / "derived", DatasetType="derivative"))


def test_derivatives_are_folders_with_subjects(tmp_path):
    assert derivatives_of(tmp_path) == []
    for name in ("b", "a", "empty"):
        (tmp_path / "derivatives" / name).mkdir(parents=True)
    for name in ("b/sub-1", "a/sub-1"):
        (tmp_path / "derivatives" / name).mkdir()
    assert [path.name for path in derivatives_of(tmp_path)] == ["a", "b"]
    (tmp_path / "derivatives" / "sub-1").mkdir()
    assert derivatives_of(tmp_path)[0].name == "derivatives"


def test_an_address_on_the_net_is_no_folder(tmp_path):
    (tmp_path / "raw" / "sub-1").mkdir(parents=True)
    root = describe(tmp_path / "d", DatasetLinks={"a": "https://x.org/raw"}, SourceDatasets=[{"URL": "../raw"}, 1])
    assert raw_source(root) == tmp_path / "raw"
    assert raw_source(describe(tmp_path / "e", SourceDatasets="../raw")) is None


@pytest.mark.parametrize(("text", "found"), [("{", "Expecting"), ("[]", "list")])
def test_a_broken_description_is_refused(tmp_path, text, found):
    (tmp_path / "dataset_description.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=found):
        is_derivative(tmp_path)
