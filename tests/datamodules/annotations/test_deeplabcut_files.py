import numpy as np
import pandas as pd
import pytest

from datamodules.annotations.deeplabcut_config import ProjectConfig
from datamodules.annotations.deeplabcut_files import read_tables
from datamodules.formats.errors import DataError


def _write(folder, *, kinds, scorer="me", value=1.0, index=("a.png",)):
    folder.mkdir(parents=True, exist_ok=True)
    columns = pd.MultiIndex.from_product([[scorer], ["snout"], ["x", "y"]], names=["scorer", "bodyparts", "coords"])
    frame = pd.DataFrame(np.full((len(index), 2), value), index=pd.Index(index, dtype=object), columns=columns)
    if "csv" in kinds:
        frame.to_csv(folder / f"CollectedData_{scorer}.csv")
    if "h5" in kinds:
        frame.to_hdf(folder / f"CollectedData_{scorer}.h5", key="keypoints", mode="w")


def test_the_hdf5_file_counts_and_a_differing_csv_is_warned_of(tmp_path, caplog):
    _write(tmp_path / "v", kinds=("h5",), value=1.0)
    _write(tmp_path / "v", kinds=("csv",), value=2.0)
    tables, origins = read_tables(tmp_path, None)

    assert tables[0].values[0, 0] == 1.0
    assert "differ from those of the CSV" in caplog.text
    assert "from .h5" in origins[0]


def test_two_files_that_agree_raise_no_warning(tmp_path, caplog):
    _write(tmp_path / "v", kinds=("h5", "csv"), value=1 / 3)
    read_tables(tmp_path, None)

    assert not caplog.records


@pytest.mark.filterwarnings("ignore::pandas.errors.PerformanceWarning")
def test_a_pickled_table_gives_way_to_its_csv_and_the_log_says_so(tmp_path, caplog):
    _write(tmp_path / "v", kinds=("h5", "csv"), index=("a.png", 7))
    tables, origins = read_tables(tmp_path, None)

    assert tables[0].path.suffix == ".csv"
    assert "pickled objects" in caplog.text
    assert "from .csv" in origins[0]


@pytest.mark.filterwarnings("ignore::pandas.errors.PerformanceWarning")
def test_a_pickled_table_without_csv_is_refused_and_names_the_way_out(tmp_path):
    _write(tmp_path / "v", kinds=("h5",), index=("a.png", 7))

    with pytest.raises(DataError, match=r"pickled objects in /keypoints/axis1; .*CSV"):
        read_tables(tmp_path, None)


def test_the_scorer_of_the_config_counts(tmp_path):
    _write(tmp_path / "v", kinds=("csv",), scorer="me", value=1.0)
    _write(tmp_path / "v", kinds=("csv",), scorer="you", value=2.0)

    assert read_tables(tmp_path, ProjectConfig("you", (), ()))[0][0].values[0, 0] == 2.0
    with pytest.raises(DataError, match="labels of one scorer, found CollectedData_me, CollectedData_you"):
        read_tables(tmp_path, None)


def test_a_folder_without_labels_is_refused(tmp_path):
    with pytest.raises(DataError, match="label frames in DeepLabCut"):
        read_tables(tmp_path, None)
