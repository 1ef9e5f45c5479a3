"""The real commands on real CT, MR and microscopy, with networks too small to be good."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from pipeline.cli import main

NARROW = [
    *("--model.network.channels", "[4,8,8]", "--model.network.strides", "[1,2,2]"),
    *("--model.network.unit", "plain", "--model.network.units_per_level", "1"),
]

pytestmark = pytest.mark.shared_data


@pytest.mark.parametrize(
    ("config", "folder", "patch"),
    [
        ("unet_ct.yaml", "head_neck_ct", "[32,32,32]"),
        ("unet_hippocampus.yaml", "hippocampus_mr", "[32,32,32]"),
        ("unet_em.yaml", "em_membranes", "[64,64]"),
    ],
)
def test_shipped_configs_train_on_the_sets_that_they_are_for(config, folder, patch, train, shared_data):
    run = train(config, "--data.root", str(shared_data / folder), *NARROW, "--data.patch_size", patch)
    model = json.loads((run / "model" / "model.json").read_text())
    assert np.isfinite(model["metrics"]["dice"])
    assert len(list((run / "pictures").glob("*-*_*.png"))) >= 6


def test_f01_all_cts_of_a_folder_are_masked_but_the_truncated_one(train, work, shared_data):
    run = train(
        "unet_ct.yaml", "--data.root", str(shared_data / "head_neck_ct"), *NARROW, "--data.patch_size", "[48,48,48]"
    )
    scans = work / "scans"
    shutil.copytree(shared_data / "head_neck_ct" / "imagesTr", scans)
    whole = sorted(scans.iterdir())
    (scans / "truncated_0000.nii.gz").write_bytes(whole[0].read_bytes()[:-5000])
    command = ["predict", "--model", "last", "--input", str(scans), "--output", str(work / "out"), "--overlap", "0"]
    assert main(command) == 3
    assert len(list((work / "out").glob("*.nii.gz"))) == len(whole) == 44
    for path in whole:
        scan, mask = nib.load(path), nib.load(work / "out" / path.name.replace("_0000", ""))
        assert mask.shape == scan.shape
        assert mask.get_data_dtype() == np.uint8
        np.testing.assert_allclose(mask.affine, scan.affine, atol=1e-5)
    assert main(command) == 3
    report = json.loads((work / "out" / "report.json").read_text())
    statuses = [case["status"] for case in report["cases"]]
    assert (statuses.count("skipped"), statuses.count("failed")) == (44, 1)
    assert report["model"]["folder"] == str(run / "model")
