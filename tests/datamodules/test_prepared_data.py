from datamodules.layouts import find_cases
from datamodules.phantom import make_phantom
from datamodules.prepared_data import prepare_data_set
from datamodules.preprocessing_choice import PreprocessingChoice
from datamodules.splits import split_cases


def test_training_cases_alone_decide_and_all_are_prepared(tmp_path):
    listing = find_cases(make_phantom(tmp_path / "ct", cases=4, shape=(32, 24, 24), workers=0))
    choice = PreprocessingChoice(intensity="ct", crop="air")
    folds = [split_cases(listing.cases, fold=fold, folds=4, seed=0) for fold in (0, 1)]
    first, other = (prepare_data_set(listing, split, choice, tmp_path / "cache", 0) for split in folds)
    assert set(first.cases) == {case.id for case in listing.cases}
    assert first.digest == other.digest
    assert first.preprocessing.channels != other.preprocessing.channels
    assert first.spacing_mm == first.preprocessing.spacing_mm
