import h5py
import numpy as np
import pytest

from datamodules.keypoints import Skeleton
from pipeline.inference.pose_heatmaps import HeatmapWriter

SKELETON = Skeleton(("nose", "hé"))
CELLS = np.array([[4.0, 0.0, 1.5], [0.0, 4.0, 1.5]])
AFFINE = np.array([[2.0, 0.0, 10.0], [0.0, 2.0, -3.0]])


def maps(count, peak=1.0):
    rng = np.random.default_rng(0)
    return (peak * rng.normal(0.2, 0.3, (count, 2, 12, 16))).astype(np.float32)


def write(path, values, frames=None):
    with HeatmapWriter(path, SKELETON, (16, 12), (4.0, 4.0), CELLS) as writer:
        for index, value in zip(frames or range(len(values)), values, strict=True):
            writer.write(index, value, AFFINE + index)
    return path


@pytest.mark.parametrize("peak", [1.0, 0.01, 30.0])
def test_maps_come_back_within_half_a_step(tmp_path, peak):
    values = maps(5, peak)
    with h5py.File(write(tmp_path / "a.h5", values)) as file:
        back = file["heatmaps"][:] * file["scale"][:][..., None, None]
        step = file["scale"][:][..., None, None]
        assert (np.abs(back - values.clip(0)) <= 0.5001 * step).all()
        np.testing.assert_allclose(back.max(axis=(2, 3)), values.max(axis=(2, 3)), rtol=1e-6)
        np.testing.assert_array_equal(back.argmax(axis=-1).shape, (5, 2, 12))
        assert file["frame"][:].tolist() == [0, 1, 2, 3, 4]
        np.testing.assert_array_equal(file["to_original"][3], AFFINE + 3)
        assert list(file.attrs["joints"]) == ["nose", "hé"]
        assert file.attrs["stride_px"].tolist() == [4.0, 4.0]
        assert "scale" in file.attrs["note"]


def test_a_cell_s_centre_is_found_by_the_two_maps(tmp_path):
    with h5py.File(write(tmp_path / "a.h5", maps(1))) as file:
        cell = np.array([3.0, 5.0, 1.0])
        x, y = file.attrs["cell_to_input"] @ cell
        assert (x, y) == (13.5, 21.5)
        assert (file["to_original"][0] @ [x, y, 1.0]).tolist() == [37.0, 40.0]
    with HeatmapWriter(tmp_path / "b.h5", SKELETON, (16, 12), (4, 4), [[4.2, 0, 0], [0, 4.2, 0]]) as writer:
        writer.write(0, maps(1)[0], AFFINE)
    with h5py.File(tmp_path / "b.h5") as file:
        assert (file.attrs["cell_to_input"] @ cell).tolist() == [4.2 * 3, 4.2 * 5]


def test_frames_are_compressed_chunks_of_one_and_may_be_left_out(tmp_path):
    frames = [index for index in range(600) if index % 5]
    with h5py.File(write(tmp_path / "a.h5", np.zeros((len(frames), 2, 12, 16)), frames)) as file:
        data = file["heatmaps"]
        assert data.shape == (480, 2, 12, 16)
        assert data.chunks == (1, 2, 12, 16)
        assert data.compression == "gzip"
        assert data.dtype == np.uint8
        assert file["frame"][:].tolist() == frames
        assert not data[:].any()


def test_f18_an_error_leaves_nothing(tmp_path):
    def fail(value):
        with HeatmapWriter(tmp_path / "a.h5", SKELETON, (16, 12), (4, 4), CELLS) as writer:
            writer.write(0, maps(1)[0], AFFINE)
            writer.write(1, value, AFFINE)

    for value in (maps(1)[0, :1], np.full((2, 12, 16), np.nan)):
        with pytest.raises(ValueError, match=r"expected finite maps \[2, 12, 16\]"):
            fail(value)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("peak", [-1.0, 0.0, 1e-40, 1e-30, 3e38])
def test_maps_without_a_positive_value_are_empty_and_none_overflows(tmp_path, peak):
    values = np.full((1, 2, 12, 16), -3e38, np.float32)
    values[..., 4, 5] = peak
    with h5py.File(write(tmp_path / "a.h5", values)) as file:
        data, scale = file["heatmaps"][0], file["scale"][0]
        assert np.isfinite(scale).all()
        assert (scale > 0).all()
        assert data[:, 4, 5].tolist() == [255 * (peak > 1e-35)] * 2
        assert data.sum() == data[:, 4, 5].sum()
