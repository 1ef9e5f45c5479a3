import pytest
import torch

from networks import HeatmapUNet, build, describe


def make(**changes):
    torch.manual_seed(0)
    return HeatmapUNet(3, 5, **({"channels": (8, 8, 16)} | changes))


@pytest.mark.parametrize("size", [(16, 16), (48, 32)])
def test_heatmaps_have_a_quarter_of_the_image_s_size(size):
    (maps,) = make().eval()(torch.rand(2, 3, *size))
    assert maps.shape == (2, 5, size[0] // 4, size[1] // 4)


def test_coarser_levels_come_first_in_training_and_not_at_all_in_evaluation():
    network, image = make(deep_supervision=1), torch.rand(2, 3, 32, 32)
    assert [tuple(maps.shape[2:]) for maps in network(image)] == [(4, 4), (8, 8)]
    assert [tuple(maps.shape[2:]) for maps in network.eval()(image)] == [(8, 8)]


def test_a_size_that_poolings_do_not_divide_is_refused_with_the_nearest():
    assert make().multiple == 16
    with pytest.raises(ValueError, match=r"of 16.*found \[20, 16\]; the nearest are \[16, 16\] and \[32, 16\]"):
        make()(torch.rand(1, 3, 20, 16))


def test_a_gradient_comes_to_every_weight():
    network = make(deep_supervision=1)
    sum((maps * torch.randn(maps.shape)).sum() for maps in network(torch.rand(2, 3, 48, 48))).backward()
    # A bias in front of batch norm has none by nature.
    assert [name for name, p in network.named_parameters() if p.ndim > 1 and not p.grad.abs().sum() > 0] == []


def test_it_is_rebuilt_from_its_description():
    network = make(norm="group", norm_groups=2, units_per_level=[1, 2, 1]).eval()
    twin = build(describe(network)).eval()
    twin.load_state_dict(network.state_dict())
    image = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(network(image), twin(image), rtol=0, atol=0)


def test_the_stem_s_channels_must_divide():
    with pytest.raises(ValueError, match=r"channels: expected the first to be a multiple of 4, found 6"):
        make(channels=(6, 8))
