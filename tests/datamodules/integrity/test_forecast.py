from dataclasses import replace

import pytest

from datamodules.integrity.forecast import findings_of_forecast, forecast


def test_what_cases_take_is_counted_at_their_median_spacing(make_facts, tmp_path):
    facts = [make_facts("a"), make_facts("b"), make_facts("c", spacing_mm=(2.0, 2.0, 4.0))]
    expected = forecast(facts, 1, tmp_path, 0)
    assert expected.spacing_mm == (1.0, 1.0, 2.0)
    assert expected.cache_bytes == (2 * 40 * 40 * 20 + 80 * 80 * 40) * 5
    assert expected.largest_case == "c"
    assert expected.memory_bytes > 80 * 80 * 40 * 5 + 2 * 4 * 80 * 80 * 40
    assert (expected.workers, expected.cache_dir) == (1, str(tmp_path))
    assert expected.free_bytes > 0
    disk, memory = expected.sentences()
    assert "1 x 1 x 2 mm" in disk
    assert "c, takes" in memory


def test_channels_and_masks_are_counted(make_facts, tmp_path):
    one, two = make_facts("a"), make_facts("a", limits=((0.0, 1.0), (0.0, 1.0)))
    assert forecast([two], 3, tmp_path, 0).cache_bytes == 40 * 40 * 20 * (2 * 4 + 3)
    assert forecast([two], 3, tmp_path, 0).memory_bytes > forecast([one], 1, tmp_path, 0).memory_bytes


def test_what_fits_is_not_told(make_facts, tmp_path):
    facts = [make_facts("a"), make_facts("b")]
    assert findings_of_forecast(facts, forecast(facts, 1, tmp_path, 2)) == []


@pytest.mark.parametrize(
    ("changes", "code"), [({"free_bytes": 1000}, "disk-space"), ({"available_bytes": 1000}, "memory")]
)
def test_a_machine_that_is_too_small_is_told(make_facts, tmp_path, changes, code):
    facts = [make_facts("a")]
    (finding,) = findings_of_forecast(facts, replace(forecast(facts, 1, tmp_path, 2), **changes))
    assert (finding.code, finding.severity, finding.cases) == (code, "warning", ())


def test_a_machine_that_does_not_tell_its_memory_is_not_judged(make_facts, tmp_path):
    facts = [make_facts("a")]
    unknown = replace(forecast(facts, 1, tmp_path, 2), available_bytes=None)
    assert findings_of_forecast(facts, unknown) == []
    assert "free" not in unknown.sentences()[1]


def test_f07_resampling_beyond_any_bound_is_a_warning_as_another_spacing_or_crop_may_pass(make_facts, tmp_path):
    facts = [make_facts("a"), make_facts("b"), make_facts("c", shape=(300, 300, 300), spacing_mm=(9.0, 9.0, 9.0))]
    found = findings_of_forecast(facts, replace(forecast(facts, 1, tmp_path, 1), available_bytes=None))
    assert [(f.code, f.severity, f.cases) for f in found if f.code != "disk-space"] == [
        ("resampling-memory", "warning", ("c",))
    ]
