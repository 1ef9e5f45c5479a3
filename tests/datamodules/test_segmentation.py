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


@pytest.mark.parametrize(("fold", "folds"), [(5, 5), (-1, 5), (0, 1)])
def test_a_fold_that_does_not_exist_is_refused(fold, folds):
    with pytest.raises(ValueError, match=f"found fold {fold} of {folds}"):
        SplitChoice(fold=fold, folds=folds)


def test_reading_before_setup_says_what_to_call(root):
    with pytest.raises(RuntimeError, match="call prepare_data"):
        _ = SegmentationData(root=root).in_channels
