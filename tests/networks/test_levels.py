import pytest

from networks.levels import plan_levels


def test_defaults_are_steps_of_two_and_kernels_of_three():
    levels = plan_levels(3, 3, None, None, 2, None)
    assert levels.strides == ((1, 1, 1), (2, 2, 2), (2, 2, 2))
    assert levels.kernels == ((3, 3, 3),) * 3
    assert (levels.encoder_convs, levels.decoder_convs) == ((2, 2, 2), (2, 2))
    assert levels.total_stride == (4, 4, 4)


def test_steps_may_differ_by_axis():
    levels = plan_levels(3, 3, [1, [2, 2, 1], 2], [[3, 3, 1], 3, 3], [1, 2, 3], [2, 1])
    assert levels.total_stride == (4, 4, 2)
    assert levels.size_at(1, (9, 8, 5)) == [5, 4, 5]
    assert levels.size_at(2, (9, 8, 5)) == [3, 2, 3]


@pytest.mark.parametrize(("length", "output"), [(572, 388), (188, 4), (570, None), (140, None), (12, None)])
def test_the_paper_of_2015_maps_572_to_388(length, output):
    assert plan_levels(5, 2, None, None, 2, None).unpadded_output(length, 0) == output


def test_a_size_that_does_not_divide_is_refused_with_the_nearest():
    levels = plan_levels(5, 2, None, None, 2, None)
    levels.check_unpadded((572, 188))
    with pytest.raises(ValueError, match=r"570 voxels along axis 1 .*\[556, 572\]"):
        levels.check_unpadded((572, 570))
    with pytest.raises(ValueError, match=r"\[188\]"):
        levels.check_unpadded((20, 572))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 2, None, None, 2, None), "channels"),
        ((3, 2, [2, 2], None, 2, None), "strides: expected one entry for each of 3"),
        ((2, 2, [2, 2], None, 2, None), "the first to be 1"),
        ((2, 2, [1, [2, 2, 2]], None, 2, None), "strides: expected a positive integer or 2"),
        ((2, 2, None, [3, 0], 2, None), "kernel_sizes"),
        ((2, 2, None, None, 0, None), "convs_per_level"),
        ((2, 2, None, None, 2, [1, 1]), "decoder_convs_per_level"),
    ],
)
def test_contradictions_name_the_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        plan_levels(*arguments)
