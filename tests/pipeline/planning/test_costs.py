import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from networks import build
from pipeline.planning.costs import estimate
from pipeline.planning.trial import Trial

UNET = {
    "class_path": "networks.unet.UNet",
    "init_args": {
        "in_channels": 1,
        "out_channels": 3,
        "spatial_dims": 3,
        "channels": [8, 16, 24],
        "unit": "basic",
        "deep_supervision": True,
    },
}
HOURGLASS = {
    "class_path": "networks.hourglass.Hourglass",
    "init_args": {"in_channels": 3, "out_channels": 4, "stacks": 2, "features": 16, "depth": 2},
}


@pytest.mark.parametrize(("network", "shape"), [(UNET, (2, 1, 16, 24, 16)), (HOURGLASS, (2, 3, 64, 32))])
def test_multiplications_are_those_that_torch_counts(network, shape):
    with torch.device("meta"):
        made, image = build(network).train(), torch.empty(shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        made(image)
    found = estimate(Trial(network, shape))
    assert found.multiply_adds == counter.get_total_flops() // 2
    assert found.weights == sum(parameter.numel() for parameter in made.parameters())


def test_features_grow_with_the_batch_and_weights_do_not():
    one, two = (estimate(Trial(UNET, (batch, 1, 16, 16, 16))) for batch in (1, 2))
    assert two.features == 2 * one.features
    assert two.weights == one.weights
    assert two.bytes > one.bytes
