import json
import shutil

import cv2
import nibabel as nib
import numpy as np
import pytest

from datamodules.formats.errors import DataError
from datamodules.phantom import make_phantom
from datamodules.preprocessing_choice import PreprocessingChoice
from datamodules.segmentation import SegmentationData
from datamodules.splits import SplitChoice


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_phantom(tmp_path_factory.mktemp("data") / "ct", cases=4, shape=(32, 24, 24), workers=0)


@pytest.fixture
def make(root, tmp_path):
    def build(**changes):
        settings = {
            "root": root,
            "patch_size": (16, 16, 16),
            "preprocessing": PreprocessingChoice(intensity="ct", crop="air"),
            "split": SplitChoice(folds=4),
            "workers": 0,
            "steps_per_epoch": 3,
            "cache_dir": tmp_path / "cache",
        }
        data = SegmentationData(**(settings | changes))
        data.prepare_data()
        data.setup("fit")
        return data

    return build


def test_what_the_network_must_fit_is_known_after_setup(make):
    data = make()
    assert (data.in_channels, data.out_channels) == (1, 7)
    assert data.labels.names == ("lungs", "spine", "ribs", "liver", "kidneys", "spleen")
    assert len(data.validation_cases) == 1
    assert len(data.digest) == 64


def test_an_epoch_has_the_batches_asked_for_and_each_epoch_others(make):
    loader = make().train_dataloader()
    first = list(loader)
    assert [tuple(batch.image.shape) for batch in first] == [(2, 1, 16, 16, 16)] * 3
    loader.sampler.set_epoch(1)
    assert not np.allclose(first[0].image, next(iter(loader)).image)


def test_validation_holds_whole_cases_of_the_fold(make):
    data = make()
    (batch,) = data.val_dataloader()
    assert batch.case_id == list(data.ready.split.validation)
    assert batch.image.shape[2:] == batch.label.shape[2:]


def test_native_spacing_still_knows_its_voxels(make):
    data = make(preprocessing=PreprocessingChoice(spacing_mm="native", intensity="ct"))
    assert data.ready.preprocessing.spacing_mm is None
    low, high = np.array(data.ready.training_range["spacing_mm"]).T
    assert (low <= data.ready.spacing_mm).all()
    assert (data.ready.spacing_mm <= high).all()


def test_the_seed_changes_the_patches_and_not_the_split(make):
    first, other = make(), make()
    other.seed = 1
    assert first.ready.split == other.ready.split
    assert not np.allclose(next(iter(first.train_dataloader())).image, next(iter(other.train_dataloader())).image)


def test_without_a_folder_there_is_nothing_to_train_on():
    with pytest.raises(DataError, match=r"name one with --data\.root"):
        SegmentationData()


def test_a_folder_that_is_not_there_is_never_replaced_by_embedded_data(tmp_path):
    with pytest.raises(DataError, match=r"check --data\.root"):
        SegmentationData(root=tmp_path / "absent", embedded="ct_phantom")
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize(("fold", "folds"), [(-1, 5), (0, 1)])
def test_a_fold_that_does_not_exist_is_refused(fold, folds):
    with pytest.raises(ValueError, match=f"found fold {fold} of {folds}"):
        SplitChoice(fold=fold, folds=folds)


def test_a_fold_of_the_data_sets_own_may_go_beyond_the_number_of_folds(make, root, tmp_path):
    own = tmp_path / "set"
    shutil.copytree(root, own)
    ids = sorted(path.name.removesuffix(".nii.gz") for path in (own / "labelsTr").iterdir())
    folds = [{"train": [id_ for id_ in ids if id_ != held], "val": [held]} for held in (ids * 7)[:7]]
    (own / "splits_final.json").write_text(json.dumps(folds), encoding="utf-8")
    assert list(make(root=own, split=SplitChoice(fold=6)).split.validation) == folds[6]["val"]
    (own / "splits_final.json").unlink()
    with pytest.raises(DataError, match=r"fold 6 of 5"):
        make(root=own, split=SplitChoice(fold=6))


def test_reading_before_setup_says_what_to_call(root):
    with pytest.raises(RuntimeError, match="call prepare_data"):
        _ = SegmentationData(root=root).in_channels


def write_table(root, folder, rows):
    names = sorted(path.name[:-7] for path in (root / "labelsTr").iterdir())
    lines = [
        f"{root}/imagesTr/{name}_0000.nii.gz,{root}/labelsTr/{name}.nii.gz,{row}"
        for name, row in zip(names, rows, strict=True)
    ]
    path = folder / "cases.csv"
    path.write_text("\n".join(["image,label,split", *lines]), encoding="utf-8")
    return path


def test_a_table_of_paths_trains_with_its_own_split(make, root, tmp_path):
    table = write_table(root, tmp_path, ["train", "validation", "train", "validation"])
    declared = json.loads((root / "dataset.json").read_text(encoding="utf-8"))["labels"]
    data = make(root=table, labels=declared, split=SplitChoice(folds=2))
    names = [case.id for case in data.ready.listing.cases]
    assert data.split.to_dict() == {"train": names[0::2], "validation": names[1::2]}
    assert [case.id for case in data.validation_cases] == names[1::2]
    assert len(list(data.train_dataloader())) == 3


def test_mask_files_train_as_overlapping_structures(make, root, tmp_path):
    for path in sorted((root / "labelsTr").iterdir()):
        folder = tmp_path / "set" / path.name[:-7]
        (folder / "segmentations").mkdir(parents=True)
        (folder / "ct.nii.gz").symlink_to(root / "imagesTr" / path.name.replace(".nii", "_0000.nii"))
        label = nib.load(path)
        stored = np.asarray(label.dataobj)
        for name, values in (("body", range(1, 7)), ("spine", [2])):
            mask = nib.Nifti1Image(np.isin(stored, list(values)).astype(np.uint8), label.affine)
            nib.save(mask, folder / "segmentations" / f"{name}.nii.gz")
    data = make(root=tmp_path / "set")
    assert data.labels.names == ("body", "spine")
    assert data.out_channels == 2
    (batch,) = data.val_dataloader()
    body, spine = batch.label[0]
    assert spine.sum() > 0
    assert bool((body[spine > 0] > 0).all())
    assert next(iter(data.train_dataloader())).label.shape[1] == 2


def test_folders_of_slices_train_where_their_spacing_is_stated(make, tmp_path):
    for number in range(4):
        image = np.random.default_rng(number).integers(0, 255, (9, 24, 24)).astype(np.uint8)
        for folder, voxels in (("images", image), ("masks", (image > 99).astype(np.uint8))):
            place = tmp_path / "set" / folder / f"case{number}"
            place.mkdir(parents=True)
            for index, plane in enumerate(voxels):
                cv2.imwrite(str(place / f"{index:02d}.png"), plane)
    choice = PreprocessingChoice(spacing_mm="native", intensity="zscore")
    data = make(root=tmp_path / "set", labels={"bright": 1}, spacing_mm=(0.5, 0.5, 2.0), preprocessing=choice)
    assert data.ready.spacing_mm == (0.5, 0.5, 2.0)
    (batch,) = data.val_dataloader()
    assert tuple(batch.image.shape[2:]) == (24, 24, 9)
