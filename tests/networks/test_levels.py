import pytest

from networks.levels import plan_levels

PLAIN = ("plain", 2)
SAME = (None, None)


def test_defaults_are_steps_of_two_and_kernels_of_three():
    levels = plan_levels(3, 3, None, None, PLAIN, SAME)
    assert levels.strides == ((1, 1, 1), (2, 2, 2), (2, 2, 2))
    assert levels.kernels == ((3, 3, 3),) * 3
    assert levels.encoder == (("plain", "plain"),) * 3
    assert levels.decoder == (("plain", "plain"),) * 2


def test_steps_kernels_and_units_may_differ_by_level_and_axis():
    levels = plan_levels(
        3, 3, [1, [2, 2, 1], 2], [[3, 3, 1], 3, 3], (["plain", "basic", "bottleneck"], [1, 2, 3]), (["basic"] * 2, 1)
    )
    assert levels.strides == ((1, 1, 1), (2, 2, 1), (2, 2, 2))
    assert levels.kernels[0] == (3, 3, 1)
    assert levels.encoder == (("plain",), ("basic",) * 2, ("bottleneck",) * 3)
    assert levels.decoder == (("basic",), ("basic",))


def test_the_decoder_is_as_the_encoder_where_nothing_else_is_said():
    levels = plan_levels(3, 2, None, None, (["plain", "basic", "basic"], [1, 2, 6]), SAME)
    assert levels.decoder == (("plain",), ("basic", "basic"))
    other_kind = plan_levels(3, 2, None, None, (["plain", "basic", "basic"], [1, 2, 6]), ("plain", None))
    assert other_kind.decoder == (("plain",), ("plain", "plain"))


def test_a_stem_is_a_plain_unit_before_the_others():
    levels = plan_levels(2, 2, None, None, ("basic", 1), SAME, stem=True)
    assert levels.encoder == (("plain", "basic"), ("basic",))
    assert levels.decoder == (("basic",),)


@pytest.mark.parametrize(("length", "output"), [(572, 388), (188, 4), (570, None), (140, None), (12, None)])
def test_the_paper_of_2015_maps_572_to_388(length, output):
    assert plan_levels(5, 2, None, None, PLAIN, SAME).unpadded_output(length, 0) == output


@pytest.mark.parametrize(("unit", "output"), [("plain", 24), ("basic", 16), ("bottleneck", 24), ("highway", 24)])
def test_a_unit_loses_as_much_as_its_wide_convolutions(unit, output):
    # One convolution per unit: 32, 30 | 15, 13 | 26, 24.
    assert plan_levels(2, 2, None, None, (unit, 1), SAME).unpadded_output(32, 0) == output


def test_a_size_that_does_not_divide_is_refused_with_the_nearest():
    levels = plan_levels(5, 2, None, None, PLAIN, SAME)
    levels.check_unpadded((572, 188))
    with pytest.raises(ValueError, match=r"570 voxels along axis 1 .*\[556, 572\]"):
        levels.check_unpadded((572, 570))
    with pytest.raises(ValueError, match=r"\[188\]"):
        levels.check_unpadded((20, 572))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 2, None, None, PLAIN, SAME), "channels"),
        ((3, 2, [2, 2], None, PLAIN, SAME), "strides: expected one entry for each of 3"),
        ((2, 2, [2, 2], None, PLAIN, SAME), "the first to be 1"),
        ((2, 2, [1, [2, 2, 2]], None, PLAIN, SAME), "strides: expected a positive integer or 2"),
        ((2, 2, None, [3, 0], PLAIN, SAME), "kernel_sizes"),
        ((2, 2, None, None, ("plain", 0), SAME), "^units_per_level"),
        ((2, 2, None, None, ("plain", [1, 1, 1]), SAME), "^units_per_level"),
        ((2, 2, None, None, PLAIN, (None, [1, 1])), "^decoder_units_per_level"),
        ((2, 2, None, None, ("dense", 1), SAME), "^unit: expected plain, .* found 'dense'"),
        ((2, 2, None, None, (["plain"] * 3, 1), SAME), "^unit: expected one kind, or one for each of 2 levels"),
        ((2, 2, None, None, PLAIN, ("dense", 1)), "^decoder_unit: expected plain"),
        ((2, 2, None, None, PLAIN, (["plain"] * 2, 1)), "^decoder_unit: .* each of 1 levels, found 2"),
    ],
)
def test_contradictions_name_the_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        plan_levels(*arguments)
