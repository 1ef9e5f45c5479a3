import h5py
import numpy as np
import pandas as pd
import pytest

from datamodules.annotations.deeplabcut_h5 import PickledTableError, read_h5
from datamodules.formats.errors import DataError

COLUMNS = pd.MultiIndex.from_product([["me"], ["snout", "tail"], ["x", "y"]], names=["scorer", "bodyparts", "coords"])


def _write(path, *, kind="fixed", values=None, index=("a.png", "b.png"), columns=COLUMNS, key="df_with_missing"):
    values = np.arange(8.0).reshape(2, 4) if values is None else values
    frame = pd.DataFrame(values, index=pd.Index(index, dtype=object), columns=columns)
    frame.to_hdf(path, key=key, mode="w", format=kind)
    return path


@pytest.mark.parametrize("kind", ["fixed", "table"])
def test_columns_of_several_types_keep_their_order(tmp_path, kind):
    frame = pd.DataFrame(np.arange(8.0).reshape(2, 4), index=["a.png", "b.png"], columns=COLUMNS)
    frame[("me", "snout", "y")] = np.array([1, 5], dtype=np.int64)
    path = tmp_path / "labels.h5"
    frame.to_hdf(path, key="keypoints", mode="w", format=kind)
    table = read_h5(path)

    assert table.bodyparts == ("snout", "tail")
    assert table.columns == tuple(COLUMNS)
    np.testing.assert_array_equal(table.values, np.arange(8.0).reshape(2, 4))


@pytest.mark.parametrize("kind", ["fixed", "table"])
def test_pandas_reads_the_same(tmp_path, kind):
    values = np.array([[1, 2, np.nan, np.nan], [5, 6, 7, 8]])
    path = _write(tmp_path / "labels.h5", kind=kind, values=values, index=("v/é.png", "v/b.png"))
    table, frame = read_h5(path), pd.read_hdf(path)

    assert table.images == tuple(frame.index)
    assert table.columns == tuple(frame.columns)
    np.testing.assert_array_equal(table.values, frame.to_numpy())


@pytest.mark.filterwarnings("ignore::pandas.errors.PerformanceWarning")
@pytest.mark.parametrize(
    "change",
    [
        {"index": ("a.png", 7)},
        {"values": np.arange(8).reshape(2, 4).astype(object)},
        {"index": ("a.png", ("b", "c"))},
    ],
)
def test_f33_pickled_objects_are_refused(tmp_path, change):
    with pytest.raises(PickledTableError, match=r"numbers and text alone, found pickled objects.*CSV"):
        read_h5(_write(tmp_path / "labels.h5", **change))


def test_f33_a_pickle_in_an_attribute_is_not_run(tmp_path):
    path, target = _write(tmp_path / "labels.h5", kind="table"), tmp_path / "made"
    with h5py.File(path, "a") as file:
        file["df_with_missing"].attrs["non_index_axes"] = np.bytes_(f"cos\nsystem\n(S'touch {target}'\ntR.")

    with pytest.raises(PickledTableError, match="opcode GLOBAL"):
        read_h5(path)
    assert not target.exists()


def test_files_of_another_kind_are_refused(tmp_path):
    text, empty, two, series = (tmp_path / f"{name}.h5" for name in ("text", "empty", "two", "series"))
    text.write_text("no HDF5")
    h5py.File(empty, "w").close()
    _write(two)
    pd.read_hdf(two).to_hdf(two, key="again", mode="a")
    pd.Series([1.0]).to_hdf(series, key="s", mode="w")

    for path in (text, empty, two, series):
        with pytest.raises(DataError, match="a table of labels as DeepLabCut writes it"):
            read_h5(path)


def test_columns_without_levels_are_refused(tmp_path):
    with pytest.raises(DataError, match="columns of scorer, bodyparts, coords, found 1 levels"):
        read_h5(_write(tmp_path / "labels.h5", columns=list("abcd")))


@pytest.mark.parametrize("kind", ["fixed", "table"])
def test_f01_a_truncated_file_is_refused(tmp_path, kind):
    path = _write(tmp_path / "labels.h5", kind=kind)
    content = path.read_bytes()
    for share in (0.1, 0.5, 0.9, 0.99):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(DataError):
            read_h5(path)
