import json

import numpy as np
import pytest
import torch

from datamodules.augmentation import Augmentation
from datamodules.cache import PreparedCase
from datamodules.patches import CaseDataset, PatchDataset, collate, extract


@pytest.fixture
def prepared(tmp_path):
    """Two prepared cases of different size, one without class 2."""

    def make(name, shape, values):
        rng = np.random.default_rng(len(name))
        folder = tmp_path / name
        folder.mkdir()
        image = rng.normal(size=(1, *shape)).astype(np.float32)
        label = np.zeros(shape, dtype=np.uint8)
        for value in values:
            label[2 * value, 3, 1] = value
        np.save(folder / "image.npy", image)
        np.save(folder / "label.npy", label)
        np.savez(folder / "locations.npz", **{str(v): np.argwhere(label == v).astype(np.int32) for v in (1, 2)})
        (folder / "grid.json").write_text(json.dumps({}))
        return PreparedCase(name, folder)

    return {"first": make("first", (20, 18, 5), (1, 2)), "second": make("second", (12, 30, 6), (1,))}


def dataset(prepared, patch=(8, 8, 4), augmentation=None, share=0.5, batch_size=2):
    return PatchDataset(
        prepared,
        patch,
        batch_size,
        foreground_share=share,
        augmentation=augmentation,
        spacing_mm=(1.0, 1.0, 1.0),
        seed=3,
    )


def test_extract_is_a_copy_about_the_centre_and_pads_outside():
    array = np.arange(1, 61, dtype=np.float32).reshape(1, 5, 4, 3)
    inside = extract(array, (2, 2, 1), (3, 2, 3), "constant")
    np.testing.assert_array_equal(inside, array[:, 1:4, 1:3, 0:3])
    outside = extract(array, (0, 0, 1), (4, 4, 3), "constant")
    assert outside.shape == (1, 4, 4, 3)
    assert (outside[:, :2] == 0).all()
    np.testing.assert_array_equal(outside[:, 2:, 2:], array[:, :2, :2])


def test_extract_beyond_the_array_is_padding_alone():
    array = np.ones((1, 4, 4, 4), dtype=np.float32)
    assert extract(array, (2, 2, 2), (12, 12, 12), "constant").sum() == 64


@pytest.mark.parametrize(("patch", "shape"), [((8, 8, 4), (8, 8, 4)), ((8, 10), (8, 10)), ((32, 32, 8), (32, 32, 8))])
@pytest.mark.parametrize("augmentation", [None, Augmentation(rotation_p=1.0, scaling_p=1.0)])
def test_patches_have_the_size_asked_for(prepared, patch, shape, augmentation):
    image, label, case = dataset(prepared, patch, augmentation)[5]
    assert image.shape == label.shape == (1, *shape)
    assert image.dtype == torch.float32
    assert label.dtype == torch.uint8
    assert case in prepared


def test_a_sample_is_a_function_of_its_number(prepared):
    first, again = (
        dataset(prepared, augmentation=Augmentation()),
        dataset(prepared, augmentation=Augmentation()),
    )
    for number in (0, 7, 100):
        assert torch.equal(first[number][0], again[number][0])
        assert torch.equal(first[number][1], again[number][1])
    assert not torch.equal(first[0][0], first[2][0])


def test_the_last_samples_of_a_batch_hold_foreground(prepared):
    made = dataset(prepared, share=0.5)
    assert all(made[number][1].any() for number in range(1, 40, 2))


def test_a_class_drawn_for_the_centre_is_one_that_the_case_has(prepared):
    seen = {"first": set(), "second": set()}
    made = dataset(prepared, patch=(1, 1, 1), share=1.0, batch_size=1)
    for number in range(60):
        _, label, case = made[number]
        seen[case].add(int(label.max()))
    assert seen == {"first": {1, 2}, "second": {1}}


def test_cases_are_drawn_equally_often(prepared):
    made = dataset(prepared)
    assert sum(made[number][2] == "first" for number in range(20)) == 10


def test_whole_cases_come_as_they_are(prepared):
    cases = CaseDataset(prepared)
    batch = collate([cases[1]])
    assert batch.image.shape == batch.label.shape == (1, 1, 12, 30, 6)
    assert batch.case_id == ["second"]
