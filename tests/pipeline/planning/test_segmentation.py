import dataclasses
import logging

import nibabel as nib
import numpy as np
import pytest

from datamodules.formats.errors import DataError
from pipeline.config.errors import UsageError
from pipeline.planning.noted import plain, render
from pipeline.planning.segmentation import folds_of, plan_segmentation


@pytest.fixture(scope="module")
def volumes(write_volumes, tmp_path_factory):
    return write_volumes(tmp_path_factory.mktemp("data") / "ct", spacing=(1.0, 1.0, 1.5))


def test_volumes_get_a_network_that_shows_them_whole(volumes, make_options, caplog):
    with caplog.at_level(logging.INFO):
        plan = plan_segmentation(make_options(volumes))
    config = plain(plan.tree)
    network, data = config["model"]["init_args"]["network"]["init_args"], config["data"]["init_args"]
    assert data["patch_size"] == [20, 12, 12], "the box of the body is 18 x 12 x 12"
    assert data["preprocessing"] == {"spacing_mm": [1.0, 1.0, 1.5], "intensity": "ct", "crop": "air"}
    assert data["augmentation"]["mirror_axes"] == []
    assert data["split"] == {"fold": 0, "folds": 5}
    assert "labels" not in data
    assert network["channels"][0] == 32
    assert len(network["channels"]) == len(network["strides"]) == len(network["kernel_sizes"])
    assert plan.fingerprint["task"] == "segmentation"
    assert "structure left lung" in caplog.text
    assert [name for name, _ in plan.summary] == ["spacing", "patch", "network", "measured", "training", "then"]


def test_each_choice_has_its_reason(volumes, make_options):
    lines = render(plan_segmentation(make_options(volumes)).tree).splitlines()
    for key in ("patch_size", "batch_size", "spacing_mm", "intensity", "crop", "mirror_axes", "max_time", "precision"):
        place = next(number for number, line in enumerate(lines) if line.strip().startswith(f"{key}:"))
        assert "#" in lines[place] + lines[place - 1], key
    for key in ("channels", "strides", "kernel_sizes", "unit", "norm", "optimizer", "learning_rate", "folds"):
        place = next(number for number, line in enumerate(lines) if line.strip().startswith(f"{key}:"))
        assert "#" in lines[place] + lines[place - 1], key


def test_a_case_that_cannot_be_used_refuses_the_plan_by_name(write_volumes, tmp_path, make_options):
    root = write_volumes(tmp_path / "ct")
    broken = root / "labelsTr" / "c1.nii.gz"
    nib.save(nib.Nifti1Image(np.full((20, 24, 16), 9, np.uint8), np.eye(4)), broken)
    with pytest.raises(DataError, match="c1"):
        plan_segmentation(make_options(root))


def test_fewer_patients_than_five_are_a_fold_each_and_one_is_refused(write_volumes, tmp_path, make_options):
    root = write_volumes(tmp_path / "three", count=3)
    config = plain(plan_segmentation(make_options(root)).tree)
    assert config["data"]["init_args"]["split"]["folds"] == 3
    one = write_volumes(tmp_path / "one", count=1)
    with pytest.raises(DataError, match="at least two groups"):
        plan_segmentation(make_options(one))


def test_patients_are_told_apart_by_the_pattern(write_volumes, tmp_path, make_options):
    root = write_volumes(tmp_path / "ct", count=4)
    with pytest.raises(DataError, match="of 1 group"):
        plan_segmentation(dataclasses.replace(make_options(root), group_pattern="(c)"))


def test_five_folds_are_the_most(make_facts, make_listing):
    assert [folds_of(make_listing([make_facts(str(n)) for n in range(count)])) for count in (2, 5, 50)] == [2, 5, 5]


def test_a_sheared_set_is_planned_for_where_shear_is_welcome(write_volumes, tmp_path, make_options):
    root = write_volumes(tmp_path / "ct", count=3)
    sheared = np.eye(4)
    sheared[1, 2] = 0.2
    for path in root.glob("*Tr/*.nii.gz"):
        image = nib.Nifti1Image(np.asarray(nib.load(path).dataobj), sheared)
        image.set_qform(None, 0)
        nib.save(image, path)
    with pytest.raises(DataError, match="sheared"):
        plan_segmentation(make_options(root))
    config = plain(plan_segmentation(make_options(root, sheared="resample")).tree)
    assert config["data"]["init_args"]["preprocessing"]["sheared"] == "resample"


def test_f29_a_case_too_large_for_the_memory_in_validation_is_refused_with_the_sizes(
    volumes, make_options, monkeypatch
):
    # so many bytes for a voxel that these small volumes stand for large ones
    monkeypatch.setattr("pipeline.planning.reserve._IMAGE_BYTES", 2**22)
    with pytest.raises(UsageError, match=r"--memory: expected more than the .* GiB .* for the largest case"):
        plan_segmentation(make_options(volumes))


def test_a_short_time_takes_width_and_neither_spacing_nor_what_shows_the_structures(
    write_volumes, tmp_path, make_options
):
    root = write_volumes(tmp_path / "mr", count=4, shape=(36, 50, 35))
    data = plain(plan_segmentation(make_options(root, 300.0)).tree)["data"]["init_args"]
    assert data["preprocessing"]["spacing_mm"] == [1.0, 1.0, 1.0]
    least = plain(plan_segmentation(make_options(root, 1.0)).tree)
    assert least["data"]["init_args"]["preprocessing"]["spacing_mm"] == [1.0, 1.0, 1.0]
    assert least["data"]["init_args"]["patch_size"] == data["patch_size"]
    assert least["model"]["init_args"]["network"]["init_args"]["channels"][0] <= 32
