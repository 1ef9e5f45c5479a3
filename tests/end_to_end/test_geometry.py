"""Masks through files lie where those of the canonical volume lie, however the file stores its axes."""

import json
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.cache import prepare_cases
from datamodules.cases import Case, CaseList
from datamodules.formats import DataError, Volume, read_volume, write_labels
from datamodules.formats.geometry import Geometry
from datamodules.intensity import ChannelIntensity
from datamodules.labels import LabelSet
from datamodules.preprocessing import Preprocessing
from datamodules.resampling import resample
from networks.unet import UNet
from pipeline.cli import main
from pipeline.inference.predictor import PredictionSettings, SegmentationPredictor
from pipeline.model_folder import ModelDescription, load_model_folder, save_model_folder

ORIENTATIONS = list(product(permutations(range(3)), product((False, True), repeat=3)))
SHAPE, SPACING = (11, 9, 7), (0.9, 1.3, 2.6)
TARGET = (1.2, 1.2, 1.7)
OBLIQUE = [(0.2, 0, 0), (0, -0.3, 0), (0, 0, 0.4), (0.1, 0.2, -0.3), (-0.35, 0.15, 0.2)]


def rotation(angles):
    """Return the turn about x, then y, then z by angles in radians."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x, about_y = [[1, 0, 0], [0, cx, -sx], [0, sx, cx]], [[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]
    return np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]]) @ about_y @ about_x


def canonical_affine(angles=(0, 0, 0)):
    affine = np.eye(4)
    affine[:3, :3] = rotation(angles) * SPACING
    affine[:3, 3] = (-31.5, 12.25, 100.0)
    return affine


def stored_as(array, affine, axes, flips):
    """Return the same voxels in the same places, in another order of axes and directions."""
    order = np.zeros((4, 4))
    order[3, 3] = 1
    for new, old in enumerate(axes):
        order[old, new] = -1 if flips[new] else 1
        order[old, 3] = array.shape[old] - 1 if flips[new] else 0
    turned = np.flip(array.transpose(axes), [axis for axis in range(3) if flips[axis]])
    return np.ascontiguousarray(turned), affine @ order


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.fixture(scope="module")
def make_model(tmp_path_factory):
    """Return a function that saves a tiny U-Net of fixed random weights as a model folder."""

    def make(spacing_mm=TARGET, dims=3, channels=1, sheared="refuse"):
        torch.manual_seed(0)
        network = UNet(channels, 2, spatial_dims=dims, channels=[4, 8])
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(1.5)  # both classes occur
        scheme = ChannelIntensity("zscore")
        description = ModelDescription(
            task="segmentation",
            network={},
            preprocessing=Preprocessing(spacing_mm, "none", (scheme,) * channels, sheared).to_dict(),
            labels=LabelSet.from_json({"background": 0, "organ": 1}).to_dict(),
            patch_size=[8] * dims,
            inference={"precision": "32-true"},
            versions={},
            data_digest="0" * 64,
            metrics={},
            training_range={},
        )
        folder = tmp_path_factory.mktemp("models") / "model"
        save_model_folder(folder, network, description)
        return folder

    return make


def in_memory(model, array, affine):
    """Return the mask [X, Y, Z] of a canonical volume that never was a file."""
    predictor = SegmentationPredictor(load_model_folder(model), torch.device("cpu"), PredictionSettings())
    channels = array if array.ndim == 4 else array[None]
    prepared = predictor.preprocessing.apply(Volume(channels, affine, Path("memory")))
    logits = predictor.logits(torch.from_numpy(prepared.image))
    if Geometry(channels.shape[1:], affine).is_sheared:
        mask = prepared.grid.restore_labels(logits)
    else:  # without the bookkeeping of `Grid`, so that its mistakes show
        mask = resample(logits, channels.shape[1:]).argmax(dim=0).numpy()
    assert set(np.unique(mask)) == {0, 1}
    return mask


def predicted(tmp_path, model, files, *options):
    """Return the masks as nibabel sees them, by name, of files {name: (array, affine)} in one run."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name, (array, affine) in files.items():
        nib.save(nib.Nifti1Image(array, affine), folder / f"{name}.nii.gz")
    arguments = ["--model", str(model), "--input", str(folder), "--output", str(tmp_path / "out"), *options]
    assert main(["predict", *arguments]) == 0
    masks = {name: nib.load(tmp_path / "out" / f"{name}.nii.gz") for name in files}
    for name, mask in masks.items():
        assert mask.shape == files[name][0].shape
        np.testing.assert_array_equal(mask.affine, nib.load(folder / f"{name}.nii.gz").affine)
    return masks


def canonical_voxels(image):
    """Return the voxels in canonical orientation, turned by nibabel and not by us."""
    return np.asarray(nib.as_closest_canonical(image).dataobj)


def name_of(axes, flips):
    return "".join(map(str, axes)) + "".join("-" if flip else "+" for flip in flips).replace("+", "p").replace("-", "m")


@pytest.mark.parametrize("spacing", [None, TARGET])
def test_all_48_axis_orders_and_directions_give_one_mask(tmp_path, make_model, spacing):
    model, array, affine = make_model(spacing), noise(SHAPE), canonical_affine()
    files = {name_of(*one): stored_as(array, affine, *one) for one in ORIENTATIONS}
    masks = predicted(tmp_path, model, files)
    assert len({nib.aff2axcodes(mask.affine) for mask in masks.values()}) == 48
    expected = in_memory(model, array, affine)
    for mask in masks.values():
        np.testing.assert_array_equal(canonical_voxels(mask), expected)


def test_a_scan_that_is_turned_as_a_whole_gives_the_same_mask(tmp_path, make_model):
    model, array = make_model(), noise(SHAPE)
    poses = list(product(OBLIQUE, ORIENTATIONS[::7]))
    files = {
        f"{OBLIQUE.index(angles)}_{name_of(*one)}": stored_as(array, canonical_affine(angles), *one)
        for angles, one in poses
    }
    expected = in_memory(model, array, canonical_affine())
    for mask in predicted(tmp_path, model, files).values():
        np.testing.assert_array_equal(canonical_voxels(mask), expected)


@pytest.mark.parametrize("axis", range(3))
def test_a_single_slice_along_any_axis_gives_one_mask(tmp_path, make_model, axis):
    shape = tuple(1 if other == axis else size for other, size in enumerate((13, 12, 10)))
    model, array = make_model(), noise(shape)
    poses = list(product([(0, 0, 0), OBLIQUE[3]], ORIENTATIONS[::5]))
    files = {
        f"{number}_{name_of(*one)}": stored_as(array, canonical_affine(angles), *one)
        for number, (angles, one) in enumerate(poses)
    }
    expected = in_memory(model, array, canonical_affine())
    for mask in predicted(tmp_path, model, files).values():
        np.testing.assert_array_equal(canonical_voxels(mask), expected)


@pytest.mark.parametrize("dims", [2, 3])
def test_two_dimensional_files_in_all_directions_give_one_mask(tmp_path, make_model, dims):
    model, array = make_model((1.2, 1.2, 1.0), dims), noise((13, 12, 1))
    in_plane = [one for one in ORIENTATIONS if one[0][2] == 2]
    files = {}
    for one in in_plane:
        turned, affine = stored_as(array, canonical_affine(), *one)
        files[name_of(*one)] = (turned[:, :, 0], affine)
    assert len(files) == 16
    expected = in_memory(model, array, canonical_affine())
    for name, mask in predicted(tmp_path, model, files).items():
        assert mask.ndim == 2, name
        volume = nib.Nifti1Image(np.asarray(mask.dataobj)[:, :, None], mask.affine)
        np.testing.assert_array_equal(canonical_voxels(volume), expected)


def test_a_png_is_predicted_as_the_volume_of_its_pixels(tmp_path, make_model):
    model = make_model((1.25, 1.25, 1.0), 2)
    pixels = np.random.default_rng(1).integers(0, 255, (14, 11), dtype=np.uint8)  # rows, columns
    (tmp_path / "in").mkdir()
    assert cv2.imwrite(str(tmp_path / "in" / "a.png"), pixels)
    assert main(["predict", "--model", str(model), "--input", str(tmp_path / "in"), "--output", str(tmp_path)]) == 0
    volume = read_volume(tmp_path / "in" / "a.png")
    mask = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    expected = in_memory(model, volume.array, np.eye(4))[:, :, 0]
    upright = volume.array[0, :, :, 0]
    # whichever way the reader lays pixels out, the mask's pixels are the image's
    np.testing.assert_array_equal(mask, expected if np.array_equal(upright, pixels) else expected.T)


def test_f05_a_sheared_file_fails_by_name_and_the_others_go_on(tmp_path, make_model):
    (tmp_path / "in").mkdir()
    for name, lean in (("straight", 0.0), ("tilted", 0.8)):
        affine = canonical_affine()
        affine[:3, 2] += (0, lean, 0)
        nib.save(nib.Nifti1Image(noise(SHAPE), affine), tmp_path / "in" / f"{name}.nii.gz")
    out = tmp_path / "out"
    code = main(["predict", "--model", str(make_model()), "--input", str(tmp_path / "in"), "--output", str(out)])
    assert code == 3
    cases = {case["id"]: case for case in json.loads((out / "report.json").read_text())["cases"]}
    assert cases["straight"]["status"] == "done"
    assert cases["tilted"]["status"] == "failed"
    assert "tilted.nii.gz: expected axes at right angles" in cases["tilted"]["messages"][0]
    assert not (out / "tilted.nii.gz").exists()


@pytest.mark.parametrize(("trained", "options"), [("resample", ()), ("refuse", ("--sheared", "resample"))])
def test_f05_a_sheared_file_is_resampled_when_told_and_comes_back(tmp_path, make_model, trained, options):
    array, affine = noise(SHAPE), canonical_affine((0.1, 0, 0.2))
    affine[:3, 2] += (0.3, 0.8, 0)
    files = {name_of(*one): stored_as(array, affine, *one) for one in ORIENTATIONS[::3]}
    expected = in_memory(make_model(sheared="resample"), array, affine)
    for mask in predicted(tmp_path, make_model(sheared=trained), files, *options).values():
        np.testing.assert_array_equal(canonical_voxels(mask), expected)


def test_f05_strict_refuses_shear_whatever_the_model_was_told(tmp_path, make_model):
    affine = canonical_affine()
    affine[:3, 2] += (0, 0.8, 0)
    nib.save(nib.Nifti1Image(noise(SHAPE), affine), tmp_path / "a.nii")
    options = ["--model", str(make_model(sheared="resample")), "--input", str(tmp_path / "a.nii"), "--strict"]
    assert main(["predict", *options, "--output", str(tmp_path / "out")]) == 1
    assert "axes at right angles" in (tmp_path / "out" / "report.json").read_text()


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(ORIENTATIONS),
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.tuples(*[st.integers(1, 6)] * 3),
    st.integers(0, 99),
)
def test_centres_of_mask_voxels_stay_in_place_in_mm(tmp_path_factory, orientation, angles, shape, seed):
    folder = tmp_path_factory.mktemp("files")
    bright = np.random.default_rng(seed).random(shape) < 0.3
    nib.save(
        nib.Nifti1Image(*stored_as(bright.astype(np.uint8), canonical_affine(angles), *orientation)), folder / "a.nii"
    )
    volume = read_volume(folder / "a.nii")
    prepared = Preprocessing(None, "nonzero", (ChannelIntensity("none"),)).apply(volume)
    scores = torch.from_numpy(np.concatenate([0.5 - prepared.image, prepared.image - 0.5]))
    write_labels(folder / "b.nii", prepared.grid.restore_labels(scores), volume.affine)
    index = np.argwhere(bright)
    expected = index @ canonical_affine(angles)[:3, :3].T + canonical_affine(angles)[:3, 3]
    mask = nib.load(folder / "b.nii")
    found = nib.affines.apply_affine(mask.affine, np.argwhere(np.asarray(mask.dataobj)))
    assert len(found) == len(expected)
    distance = np.linalg.norm(found[:, None] - expected[None], axis=-1)
    assert (distance.min(axis=0, initial=0 if not len(found) else np.inf) < 1e-4).all()  # headers hold float32


def test_f05_a_sheared_training_case_is_prepared_as_prediction_does_it(tmp_path):
    affine = np.diag([-1.0, 1.0, 3.0, 1.0])
    affine[1, 2] = 1.1
    label = np.zeros((24, 26, 9), dtype=np.uint8)
    label[6:18, 8:20, 2:7] = 1
    for name, array in (("image", label * 100 + noise(label.shape)), ("label", label)):
        nib.save(nib.Nifti1Image(array, affine), tmp_path / f"{name}.nii.gz")
    case = Case("a", "a", (tmp_path / "image.nii.gz",), tmp_path / "label.nii.gz")
    names = LabelSet.from_json({"background": 0, "organ": 1})
    listing = CaseList(tmp_path, "pairs", ("image",), names, (case,))
    told = Preprocessing((1.0, 1.0, 2.0), "none", (ChannelIntensity("none"),), "resample")
    with pytest.raises(DataError, match="axes at right angles"):
        prepare_cases(listing, replace(told, sheared="refuse"), tmp_path / "cache", 0)
    prepared = prepare_cases(listing, told, tmp_path / "cache", 0)["a"]
    image, stored, _ = prepared.load()
    np.testing.assert_array_equal(image, told.apply(read_volume(case.images[0])).image)
    assert ((image[0] > 50) == (stored == 1)).mean() > 0.98
    back = prepared.grid().restore_labels(torch.from_numpy(np.stack([stored == 0, stored == 1])))
    assert 2 * (back * label).sum() / (back.sum() + label.sum()) > 0.95
