"""Segmentations as 3D Slicer writes them."""

import gzip

import numpy as np
import pytest

from datamodules.formats import DataError, read_labels, volume_name

HEADER = """NRRD0004
type: unsigned char
dimension: {axes}
space: left-posterior-superior
sizes: {sizes}
space directions: {none}(1,0,0) (0,1,0) (0,0,2)
kinds: {kind}domain domain domain
encoding: gzip
space origin: (-10,20,30)
{keys}
"""
SEGMENT = """Segment{n}_Color:=0.5 0.6 0.7
Segment{n}_Extent:=0 4 0 3 0 2
Segment{n}_ID:=Segment_{n}
Segment{n}_LabelValue:={value}
Segment{n}_Layer:={layer}
Segment{n}_Name:=lung: left = "a"
Segment{n}_Tags:=TerminologyEntry:Segmentation category|
"""
END = "Segmentation_MasterRepresentation:=Binary labelmap\nSegmentation_ReferenceImageExtentOffset:=0 0 0\n"


def save(path, layers, *segments):
    """Write layers [L, X, Y, Z]; each segment is (layer, value)."""
    keys = "".join(SEGMENT.format(n=n, layer=layer, value=value) for n, (layer, value) in enumerate(segments)) + END
    several = len(layers) > 1
    stored = layers if several else layers[0]
    sizes = " ".join(map(str, stored.shape))
    kind, none = ("list ", "none ") if several else ("", "")
    head = HEADER.format(axes=stored.ndim, sizes=sizes, none=none, kind=kind, keys=keys)
    path.write_bytes(head.encode() + gzip.compress(stored.astype(np.uint8).tobytes(order="F")))
    return path


def random_layers(count, values):
    return np.random.default_rng(5).integers(0, values + 1, (count, 5, 4, 3))


def test_one_layer_keeps_its_values(tmp_path):
    layers = random_layers(1, 3)
    path = save(tmp_path / "case 1.seg.nrrd", layers, (0, 1), (0, 2), (0, 3))
    labels = read_labels(path)
    np.testing.assert_array_equal(labels.array, layers)
    np.testing.assert_array_equal(labels.affine, [[-1, 0, 0, 10], [0, -1, 0, -20], [0, 0, 2, 30], [0, 0, 0, 1]])
    assert volume_name(path) == "case 1"


def test_segments_in_several_layers_become_masks_in_their_order(tmp_path):
    layers = random_layers(2, 2)
    layers[1] *= layers[1] == 1
    path = save(tmp_path / "a.seg.nrrd", layers, (0, 2), (1, 1), (0, 1))
    masks = read_labels(path).array
    np.testing.assert_array_equal(masks, [layers[0] == 2, layers[1] == 1, layers[0] == 1])
    assert masks.dtype == np.uint8


def test_layers_without_a_word_on_segments_are_masks_themselves(tmp_path):
    layers = random_layers(3, 1)
    np.testing.assert_array_equal(read_labels(save(tmp_path / "a.seg.nrrd", layers)).array, layers)


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ([(0, 1), (1, 1)], r"values '\[0, 1\]' in layer 0, found values such as \[2\]"),
        ([(0, 1), (0, 2), (1, 1), (1, 2), (2, 1)], "a layer and a value for every segment"),
        ([(0, 1), (0, 1), (1, 1), (1, 2)], "each its own"),
        ([(0, 1), (0, 0), (1, 1), (1, 2)], "each its own"),
        ([(0, "x"), (1, 2)], "Segment0_LabelValue: 1 whole numbers"),
    ],
)
def test_f14_layers_that_the_segments_do_not_explain_are_refused(tmp_path, segments, message):
    with pytest.raises(DataError, match=message):
        read_labels(save(tmp_path / "a.seg.nrrd", random_layers(2, 2), *segments))


def test_a_segment_without_its_layer_is_refused(tmp_path):
    path = save(tmp_path / "a.seg.nrrd", random_layers(2, 1), (0, 1), (1, 1))
    path.write_bytes(path.read_bytes().replace(b"Segment1_Layer:=1\n", b""))
    with pytest.raises(DataError, match="a layer and a value of segment 1, found only LabelValue"):
        read_labels(path)
