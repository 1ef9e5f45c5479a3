import math

import pytest
import torch
from torch import nn

from pipeline.health.probe import LayerProbe, root_mean_square


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 2, 1))


def measure(net, image, *, rate=0.1, times=1):
    """One step of gradient descent, measured."""
    probe = LayerProbe(net)
    probe.open()
    optimizer = torch.optim.SGD(net.parameters(), lr=rate)
    for _ in range(times):
        net(image).square().mean().backward()
    probe.before_update()
    optimizer.step()
    return probe.after_update(7)


def test_figures_are_what_their_names_say():
    net, image = network(), torch.rand(2, 1, 8, 8)
    conv = net[0]
    before, output = conv.weight.detach().clone(), conv(image).detach()
    sample = measure(net, image)
    assert sample.step == 7
    assert list(sample.layers) == ["0", "3"]
    found = sample.layers["0"]
    assert found.gradient_norm == pytest.approx(float(conv.weight.grad.norm()), rel=1e-5)
    assert found.activation == pytest.approx(float(output.square().mean().sqrt()), rel=1e-5)
    assert found.update_ratio == pytest.approx(float((conv.weight.detach() - before).norm() / before.norm()), rel=1e-4)


def test_the_spread_of_the_output_is_over_voxels_and_samples():
    net, image = network(), torch.rand(2, 1, 8, 8)
    logits = net(image).detach()
    sample = measure(net, image)
    assert sample.output_spread == pytest.approx(float(logits.std(dim=(0, 2, 3), correction=0).max()), rel=1e-4)
    assert sample.output_size == pytest.approx(float(logits.mean(dim=(0, 2, 3)).abs().max()), rel=1e-4)


def test_hooks_and_copies_last_for_one_step():
    net = network()
    probe = LayerProbe(net)
    assert not probe.is_open
    measured = measure(net, torch.rand(2, 1, 8, 8))
    assert measured.layers
    assert not any(module._forward_hooks for module in net.modules())
    probe.open()
    probe.open()
    assert [len(module._forward_hooks) for module in net.modules()] == [1, 1, 0, 0, 1]
    probe.close()
    assert not any(module._forward_hooks for module in net.modules())


def test_hooks_change_neither_layout_nor_type_of_the_output():
    net, probe = network().to(memory_format=torch.channels_last), None
    image = torch.rand(2, 1, 8, 8).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        plain = net(image)
        probe = LayerProbe(net)
        probe.open()
        hooked = net(image)
    probe.close()
    assert hooked.dtype == torch.bfloat16
    assert hooked.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(plain, hooked)


def test_a_network_can_be_exported_while_it_is_measured():
    net = network().eval()
    probe = LayerProbe(net)
    probe.open()
    image = torch.rand(2, 1, 8, 8)
    exported = torch.export.export(net, (image,))
    probe.close()
    torch.testing.assert_close(exported.module()(image), net(image))


def test_layers_that_do_not_run_are_left_out_and_frozen_ones_too():
    net = network()
    net.unused = nn.Conv2d(1, 1, 1)
    net.forward = lambda image: net[3](net[0](image))
    net[3].weight.requires_grad_(False)
    assert list(measure(net, torch.rand(2, 1, 8, 8)).layers) == ["0"]


def test_weights_that_start_at_zero_have_no_ratio():
    net = network()
    nn.init.zeros_(net[3].weight)
    layers = measure(net, torch.rand(2, 1, 8, 8)).layers
    assert math.isnan(layers["3"].update_ratio)
    assert layers["0"].gradient_norm == 0.0


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
def test_the_mean_square_of_half_precision_does_not_overflow(kind):
    tensor = torch.full((300, 300), 2000.0, dtype=kind)  # a norm of 600,000, where float16 ends at 65504
    assert float(root_mean_square(tensor)) == pytest.approx(2000.0, rel=0.01)
