from pathlib import Path

import pytest

from datamodules.formats.errors import DataError
from datamodules.layouts.table_columns import read_columns

PATH = Path("cases.csv")


def test_numbered_channels_are_in_the_order_of_their_numbers():
    names = [f"image_{number}" for number in range(11)]
    columns = read_columns(PATH, [*reversed(names), "label"])
    assert list(columns.images) == names
    assert columns.channel_names == ()


def test_named_channels_and_masks_keep_their_order():
    columns = read_columns(PATH, ["image_b", "mask_z", "image_a", "mask_y", "id"])
    assert (columns.images, columns.channel_names) == (("image_b", "image_a"), ("b", "a"))
    assert (columns.masks, columns.structures) == (("mask_z", "mask_y"), ("z", "y"))
    assert columns.others == {"id"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["image", "image_0", "label"], "a column image, or several"),
        (["label"], "a column image, or several"),
        (["image"], "a column label, or mask_STRUCTURE"),
        (["image", "label", "mask_a"], "a column label, or mask_STRUCTURE"),
        (["image_0", "image_2", "label"], "image_0 to image_1"),
        (["image_0", "image_T1", "label"], "image_0 to image_1"),
        (["image_", "label"], "nearest to 'image_' is 'image_0'"),
        (["Image", "label"], "'Image'.*is 'image'"),
        (["image", "label", "serie"], "is 'series'"),
    ],
)
def test_headers_that_cannot_be_meant_are_refused(names, message):
    with pytest.raises(DataError, match=message):
        read_columns(PATH, names)
