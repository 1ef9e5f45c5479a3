import base64
import re

import cv2
import numpy as np

from pipeline.check_page_pictures import PALETTE, histogram_svg, picture_uri, strip_svg


def decoded(uri):
    kind, data = uri.split(",", 1)
    assert kind == "data:image/png;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def bars(svg, attribute):
    return [float(value) for value in re.findall(rf'<rect [^>]*\b{attribute}="([\d.]+)"', svg)]


def test_grey_stays_grey_and_labels_take_the_colour_of_their_structure():
    image = np.full((4, 6), 100, np.uint8)
    labels = np.zeros((4, 6), np.uint8)
    labels[1, 2], labels[2, 3] = 1, 2
    shown = decoded(picture_uri(image, labels))
    assert shown.shape == (4, 6, 3)
    assert (shown[0, 0] == 100).all()
    for place, colour in (((1, 2), PALETTE[0]), ((2, 3), PALETTE[1])):
        assert np.abs(shown[place] - (0.55 * 100 + 0.45 * np.array(colour))).max() <= 1


def test_more_structures_than_colours_begin_again():
    labels = np.array([[1, 1 + len(PALETTE)]], np.uint8)
    first, again = decoded(picture_uri(np.zeros((1, 2), np.uint8), labels))[0]
    assert (first == again).all()


def test_bars_stand_on_the_base_line_and_grow_with_the_root():
    svg = histogram_svg(np.array([0, 1, 4, 16]), -1000.0, 3000.0, "CT of a")
    heights = bars(svg, "height")
    assert len(heights) == 3  # an empty bin has no bar
    np.testing.assert_allclose(np.array(heights) / heights[-1], [0.25, 0.5, 1.0], atol=0.01)
    np.testing.assert_allclose(np.array(bars(svg, "y")) + heights, heights[-1], atol=0.11)
    assert "-1000" in svg
    assert "3000" in svg


def test_a_histogram_of_nothing_has_no_bars():
    assert bars(histogram_svg(np.zeros(64, np.int64), 0.0, 0.0, "empty"), "height") == []


def test_strokes_lie_where_their_values_do_and_fall_together_where_these_are_equal():
    places = bars(strip_svg([1.0, 2.0, 2.0, 3.0], "spacing"), "x")
    assert len(places) == 3
    assert places[0] == 0.0
    assert abs(places[1] - places[2] / 2) < 0.1
    opacity = bars(strip_svg([1.0, 2.0, 2.0], "spacing"), "opacity")
    assert opacity[0] < opacity[1]


def test_equal_values_are_said_to_be_equal():
    svg = strip_svg([2.5, 2.5], "spacing")
    assert "the same in all" in svg
    assert len(bars(svg, "x")) == 1


def test_a_title_from_a_file_name_is_text():
    assert "<script>" not in strip_svg([1.0], "<script>alert(1)</script>")
