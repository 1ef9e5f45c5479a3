import pytest

from datamodules.annotations import find_poses
from datamodules.formats.errors import DataError


@pytest.mark.parametrize("pattern", [r"^(day\d)", r"(day\d)/", r"^(day\d)_img\d"])
def test_the_group_pattern_is_searched_in_the_id_and_the_path(coco, write_coco, pattern):
    coco["images"][0]["file_name"], coco["images"][1]["file_name"] = "day1/img1.png", "day2/img1.png"
    listing = find_poses(write_coco(coco), group_pattern=pattern)

    assert [sample.group for sample in listing.samples] == ["day1", "day1", "day2"]
    assert "groups: 2 by data.split.group_pattern" in listing.origins


@pytest.mark.parametrize(
    ("pattern", "message"),
    [(r"(\d+", "a regular expression with one group"), (r"a", "with one group"), (r"(day\d)", "finds a group in")],
)
def test_a_pattern_that_finds_no_group_is_refused(coco, write_coco, pattern, message):
    with pytest.raises(DataError, match=message):
        find_poses(write_coco(coco), group_pattern=pattern)


def test_ids_do_not_clash_with_those_of_further_subjects(coco, write_coco):
    coco["images"][1]["file_name"] = "a_2.png"

    assert [sample.id for sample in find_poses(write_coco(coco)).samples] == ["a", "a_3", "a_2"]


def test_ids_are_safe_as_file_names(coco, write_coco):
    coco["images"][0]["file_name"] = 'a: "b"?/c*.png'
    id_ = find_poses(write_coco(coco)).samples[0].id

    assert not set(id_) & set('/\\:*?"<>|')


def test_the_order_depends_on_the_images_alone(coco, write_coco, tmp_path):
    one = find_poses(write_coco(coco, tmp_path / "one"))
    for key in ("images", "annotations"):
        coco[key] = coco[key][1:] + coco[key][:1]
    other = find_poses(write_coco(coco, tmp_path / "other"))

    assert [s.image.name for s in one.samples] == [s.image.name for s in other.samples]
