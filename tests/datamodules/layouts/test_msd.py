import json

import numpy as np
import pytest

from datamodules.cases import read_image
from datamodules.formats.errors import DataError
from datamodules.layouts import find_cases


def edit(root, **changes):
    path = root / "dataset.json"
    content = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(content), encoding="utf-8")


def write_decathlon(root, write_volume, channels):
    shape = (5, 6, 7) if channels == 1 else (5, 6, 7, channels)
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    write_volume(root / "imagesTr" / "brain_1.nii.gz", array)
    write_volume(root / "labelsTr" / "brain_1.nii.gz", np.ones((5, 6, 7), np.uint8))
    description = {
        "modality": {str(channel): f"M{channel}" for channel in range(channels)},
        "labels": {"0": "background", "1": "tumour"},
        "training": [{"image": "./imagesTr/brain_1.nii.gz", "label": "./labelsTr/brain_1.nii.gz"}],
    }
    (root / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    return array


@pytest.mark.parametrize("channels", [1, 3])
def test_decathlon(tmp_path, write_volume, channels):
    array = write_decathlon(tmp_path, write_volume, channels)
    listing = find_cases(tmp_path)
    assert listing.layout == "msd"
    assert listing.labels.names == ("tumour",)
    assert len(listing.channel_names) == channels
    image = read_image(listing.cases[0], channels)
    np.testing.assert_array_equal(image.array, np.moveaxis(array.reshape(5, 6, 7, channels), -1, 0))
    assert len(listing.cases[0].files) == 2


@pytest.mark.parametrize("declared", [1, 2])
def test_f32_decathlon_with_fewer_channels_declared_than_stored_is_refused(tmp_path, write_volume, declared):
    write_decathlon(tmp_path, write_volume, 3)
    edit(tmp_path, modality={str(channel): f"M{channel}" for channel in range(declared)})
    listing = find_cases(tmp_path)
    with pytest.raises(DataError, match=rf"expected {declared} channel\(s\), found 3 in 1 file"):
        read_image(listing.cases[0], declared)


def test_decathlon_lists_what_is_missing(tmp_path, write_volume):
    write_decathlon(tmp_path, write_volume, 1)
    more = {"image": "imagesTr/brain_2.nii.gz", "label": "labelsTr/brain_2.nii.gz"}
    edit(tmp_path, training=[{"image": "imagesTr/brain_1.nii.gz", "label": "labelsTr/brain_1.nii.gz"}, more])
    with pytest.raises(DataError, match=r"2 missing.*brain_2"):
        find_cases(tmp_path)
