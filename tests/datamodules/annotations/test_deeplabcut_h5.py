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


def _replace(path, name, **settings):
    """Put another dataset in the place of one of a table's, with its attributes."""
    with h5py.File(path, "a") as file:
        group = file["df_with_missing"]
        attributes = dict(group[name].attrs)
        del group[name]
        group.create_dataset(name, **settings).attrs.update(attributes)


@pytest.mark.parametrize(
    ("kind", "name", "settings", "message"),
    [
        # shapes alone: nothing of them is in the file
        ("fixed", "block0_values", {"shape": (2, 1 << 40), "dtype": "f8"}, "bytes of block0_values: at most"),
        ("fixed", "block0_values", {"shape": (2, 1 << 20), "dtype": "f8"}, r"values \[2, 4\], as the axes say"),
        ("fixed", "block0_values", {"shape": (3, 4), "dtype": "f8"}, r"found \[3, 4\]"),
        ("fixed", "axis1", {"shape": (1 << 19,), "dtype": "S5"}, "entries of axis1: at most"),
        ("fixed", "axis1", {"shape": (4,), "dtype": "S1000000"}, "bytes of a text of axis1: at most"),
        ("fixed", "axis1", {"shape": (1, 2), "dtype": "S5"}, "one axis of axis1"),
        ("fixed", "axis0_label0", {"shape": (1 << 40,), "dtype": "i1"}, "bytes of axis0_label0: at most"),
        ("table", "table", {"shape": (1 << 19,), "dtype": [("index", "S5"), ("x", "f8")]}, "entries of table"),
        ("table", "table", {"shape": (9,), "dtype": [("index", "S99999"), ("x", "f8")]}, "bytes of a path"),
    ],
)
def test_f33_sizes_that_are_declared_are_bounded_before_they_are_read(tmp_path, kind, name, settings, message):
    path = _write(tmp_path / "labels.h5", kind=kind)
    if settings["shape"][0] > 100 or settings["shape"][-1] > 100:
        settings |= {"chunks": tuple(min(length, 1024) for length in settings["shape"])}
    if name == "table":
        with h5py.File(path, "a") as file:
            del file["df_with_missing/table"]
            file["df_with_missing"].create_dataset(name, **settings)
    else:
        _replace(path, name, **settings)
    assert path.stat().st_size < 3_000_000

    with pytest.raises(DataError, match=message):
        read_h5(path)


@pytest.mark.parametrize(("name", "value"), [("nblocks", 10**9), ("nblocks", -1), ("axis0_nlevels", 10**9)])
def test_f33_counts_that_are_declared_are_bounded(tmp_path, name, value):
    path = _write(tmp_path / "labels.h5")
    with h5py.File(path, "a") as file:
        file["df_with_missing"].attrs[name] = value

    with pytest.raises(DataError, match=r"(blocks|levels): at most"):
        read_h5(path)


@pytest.mark.parametrize("what", ["external link", "soft link", "group", "external storage", "virtual"])
def test_f33_a_file_leads_to_no_other_file(tmp_path, what):
    other, path = _write(tmp_path / "other.h5"), _write(tmp_path / "labels.h5")
    inner = "df_with_missing/block0_values"
    raw = tmp_path / "raw.bin"
    np.arange(8.0).tofile(raw)
    with h5py.File(path, "a") as file:
        if what == "group":
            del file["df_with_missing"]
            file["df_with_missing"] = h5py.ExternalLink(str(other), "df_with_missing")
        else:
            del file[inner]
        if what == "external link":
            file[inner] = h5py.ExternalLink(str(other), inner)
        elif what == "soft link":
            file[inner] = h5py.SoftLink("/df_with_missing/axis0_level0")
        elif what == "external storage":
            file.create_dataset(inner, (2, 4), "f8", external=[(str(raw), 0, 64)])
        elif what == "virtual":
            layout = h5py.VirtualLayout((2, 4), "f8")
            layout[:] = h5py.VirtualSource(str(other), inner, shape=(2, 4))
            file.create_virtual_dataset(inner, layout)

    with pytest.raises(DataError, match="in the file itself"):
        read_h5(path)
