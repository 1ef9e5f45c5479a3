from dataclasses import replace

import numpy as np
import pytest

from datamodules.case_summary import CaseSummary, load_summary, save_summary

SUMMARY = CaseSummary(
    case_id="a",
    content="c" * 64,
    voxels="v" * 64,
    shape=(4, 5, 6),
    spacing_mm=(0.1, 1 / 3, 2.0),
    limits=((-1.5, 2.5), (0.0, 1.0)),
    voxel_counts={"left": 3, "Zo\u00eb": 0},
    samples=np.arange(6, dtype=np.float32).reshape(2, 3),
)


@pytest.mark.parametrize("samples", [SUMMARY.samples, np.zeros((2, 0), np.float32)])
def test_a_summary_comes_back_under_the_name_asked_for(tmp_path, samples):
    save_summary(tmp_path / "s.npz", replace(SUMMARY, samples=samples))
    loaded = load_summary(tmp_path / "s.npz", "b")
    np.testing.assert_array_equal(loaded.samples, samples)
    assert vars(loaded) | {"samples": None} == vars(SUMMARY) | {"samples": None, "case_id": "b"}
    assert [path.name for path in tmp_path.iterdir()] == ["s.npz"]
