import json

import numpy as np
import pytest


def test_a_data_set_in_numbers(make_facts, make_fingerprint):
    left, right = ((0, 10), (0, 10), (0, 10)), ((10, 20), (0, 10), (0, 5))
    cases = [
        make_facts(
            "a", shape=(30, 20, 10), spacing_mm=(1, 1, 2), boxes={"x": left, "y": right}, adjacency=(("x", "y"),)
        ),
        make_facts("b", shape=(40, 20, 10), spacing_mm=(1, 1, 4), boxes={"x": left}, orientation="LPI"),
        make_facts("c", shape=(50, 20, 10), spacing_mm=(1, 1, 6), boxes={"x": left, "y": right}, dtype="float32"),
    ]
    found = make_fingerprint(cases)
    assert found.shape == (40, 20, 10)
    assert found.shape_range == ((30, 20, 10), (50, 20, 10))
    assert found.spacing_mm == (1, 1, 4)
    assert found.orientations == {"RAS": 2, "LPI": 1}
    assert found.dtypes == {"int16": 2, "float32": 1}
    assert found.structures["x"].volume_mm3 == 4000
    assert found.structures["y"].cases == 2
    assert found.structures["y"].extent_mm == (10, 10, 20)
    assert found.adjacency == (("x", "y", 1),)
    assert found.voxels == (30 + 40 + 50) * 200
    assert found.channels[0].foreground_mean == pytest.approx(50)


def test_it_is_told_in_lines_and_in_json(make_facts, make_fingerprint):
    found = make_fingerprint([make_facts("a"), make_facts("b")])
    assert json.loads(json.dumps(found.to_dict()))["cases"] == 2
    text = "\n".join(found.lines())
    assert "structure organ: median 1000 mm3" in text
    assert "nothing to crop" in text
    assert "touch (cases): none" in text


def test_a_structure_that_is_nowhere_is_told_too(make_facts, make_fingerprint, make_listing):
    from pipeline.planning.fingerprint import take_fingerprint

    facts = make_facts("a", boxes={})
    found = take_fingerprint(make_listing([facts], ("organ",)), {"a": facts})
    assert found.structures["organ"].cases == 0


def test_without_any_foreground_there_are_still_numbers(make_facts, make_fingerprint):
    found = make_fingerprint([make_facts("a", boxes={}, samples=np.zeros((1, 0), np.float32))])
    assert found.channels[0].foreground_percentiles == (0.0, 0.0)


@pytest.mark.parametrize(("suffix", "directed"), [(".nii.gz", True), (".png", False)])
def test_pictures_do_not_tell_left_from_right(suffix, directed, make_facts, make_fingerprint):
    found = make_fingerprint([make_facts("a", shape=(20, 20, 1))], suffix=suffix)
    assert found.directed is directed
    assert any("none is stated" in line for line in found.lines()) is not directed
