from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from networks import UNet
from networks.residual import ResidualOptions

SMALL = {"channels": [4, 8, 8]}
CLEAN = ResidualOptions(preactivation=True)
VARIANTS = [
    {},
    {"spatial_dims": 2},
    {"unit": "basic", "units_per_level": 1},
    {"unit": "basic", "spatial_dims": 2, "units_per_level": [1, 2, 2], "decoder_units_per_level": 1},
    {"unit": ["plain", "basic", "resnext"], "decoder_unit": ["highway", "bottleneck"], "spatial_dims": 2},
    {"unit": "basic", "residual": CLEAN, "skip": "add", "stem": "convolution", "spatial_dims": 2},
    {"norm": "batch", "activation": "relu"},
    {"norm": "group", "norm_groups": 2, "activation": "silu"},
    {"norm": "none", "activation": "gelu", "dropout": 0.1},
    {"downsampling": "max", "unit": "basic", "units_per_level": 1},
    {"strides": [1, [2, 2, 1], 2], "kernel_sizes": [[3, 3, 1], 3, 3]},
    {"deep_supervision": True},
    {"padding": "valid", "downsampling": "max", "unit": "basic", "units_per_level": 1},
    {"encoder": "cifar_resnet8", "encoder_width": 0.25, "channels": [4, 8], "unit": "basic", "deep_supervision": True},
    {"encoder": "preresnet18", "encoder_width": 0.1, "channels": [2, 4], "skip": "add", "spatial_dims": 2},
]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def image_for(network: UNet, batch: int = 2) -> torch.Tensor:
    length = 64 if network.init_args["encoder"] == "preresnet18" else 16  # of one voxel an instance norm is constant
    length = 44 if network.init_args["padding"] == "valid" else length
    return torch.rand(batch, 1, *[length] * network.spatial_dims)


def finest(output: torch.Tensor | list[torch.Tensor]) -> torch.Tensor:
    return output[0] if isinstance(output, list) else output


@pytest.fixture(params=VARIANTS, ids=str)
def network(request) -> UNet:
    return UNet(1, 3, **{**SMALL, **request.param})


def paper_of_2015() -> UNet:
    return UNet(
        1,
        2,
        spatial_dims=2,
        channels=[64, 128, 256, 512, 1024],
        norm="none",
        activation="relu",
        padding="valid",
        downsampling="max",
    )


def test_the_paper_of_2015_by_parameters_and_sizes():
    with torch.device("meta"):
        network = paper_of_2015()
        assert sum(p.numel() for p in network.parameters()) == 31_030_658
        assert network(torch.zeros(1, 1, 572, 572)).shape == (1, 2, 388, 388)
    with pytest.raises(ValueError, match=r"\[556, 572\]"):
        network(torch.zeros(1, 1, 570, 572))


def test_a_padded_network_has_as_many_parameters_as_an_unpadded_one():
    padded = UNet(1, 3, norm="none", downsampling="max", **SMALL)
    unpadded = UNet(1, 3, norm="none", downsampling="max", padding="valid", **SMALL)
    count = sum(p.numel() for p in padded.parameters())
    # Per level: first and second convolution; then the transposed ones; then the head.
    encoder = (27 * 1 + 27 * 4) * 4 + 8 + (27 * 4 + 27 * 8) * 8 + 16 + (27 * 8 + 27 * 8) * 8 + 16
    decoder = 8 * 8 * 8 + 8 + (27 * 16 + 27 * 8) * 8 + 16 + 8 * 8 * 4 + 4 + (27 * 8 + 27 * 4) * 4 + 8
    assert count == encoder + decoder + 4 * 3 + 3
    assert count == sum(p.numel() for p in unpadded.parameters())


def test_a_gradient_reaches_every_parameter(network):
    outputs = network(image_for(network))
    outputs = outputs if isinstance(outputs, list) else [outputs]
    sum((output * torch.rand_like(output)).mean() for output in outputs).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_bf16_is_finite_forward_and_backward(network):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = finest(network(image_for(network)))
    assert output.dtype == torch.bfloat16
    output.float().square().mean().backward()
    assert output.isfinite().all()
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)


def test_weights_come_back_from_safetensors(network, tmp_path: Path):
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    again = type(network)(**network.init_args)
    again.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    image = image_for(network)
    assert torch.equal(network.eval()(image), again.eval()(image))


def test_export_gives_the_same_logits(network):
    image = image_for(network)
    exported = torch.export.export(network.eval(), (image,)).module()
    torch.testing.assert_close(exported(image), network(image), rtol=1e-4, atol=1e-4)


def test_an_export_may_leave_the_batch_open():
    network = UNet(1, 3, **SMALL).eval()
    batch = torch.export.Dim("batch", min=1, max=8)
    exported = torch.export.export(network, (torch.rand(2, 1, 8, 8, 8),), dynamic_shapes=({0: batch},))
    image = torch.rand(5, 1, 8, 8, 8)
    torch.testing.assert_close(exported.module()(image), network(image), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1, 1), (3, 5, 7), (17, 16, 1), (9, 4, 33)])
@pytest.mark.parametrize("options", [{}, {"strides": [1, [2, 2, 1], [2, 1, 3]]}])
def test_a_padded_network_takes_any_size_and_gives_it_back(size, options):
    network = UNet(1, 3, deep_supervision=True, **SMALL, **options)
    image = torch.rand(1, 1, *size)
    fine, coarse = network(image)
    assert fine.shape == (1, 3, *size)
    assert coarse.shape == (
        1,
        3,
        *[-(-length // step) for length, step in zip(size, network.decoder.strides[1], strict=True)],
    )
    assert fine.isfinite().all()
    assert network.eval()(image).shape == (1, 3, *size)


@pytest.mark.parametrize("size", [(1, 1), (31, 8)])
def test_any_size_in_2d(size):
    assert UNet(3, 2, spatial_dims=2, **SMALL)(torch.rand(2, 3, *size)).shape == (2, 2, *size)


def test_padding_is_the_same_as_zeros_at_the_far_ends():
    network = UNet(1, 3, **SMALL).eval()
    image = torch.rand(1, 1, 6, 8, 5)
    padded = torch.zeros(1, 1, 8, 8, 8)
    padded[..., :6, :8, :5] = image
    torch.testing.assert_close(network(image), network(padded)[..., :6, :8, :5])


def test_deep_supervision_trains_all_heads_and_changes_nothing_at_eval():
    network = UNet(1, 3, channels=[4, 4, 8, 8], deep_supervision=2)
    plain = UNet(1, 3, channels=[4, 4, 8, 8])
    shared = {name: tensor for name, tensor in network.state_dict().items() if name in plain.state_dict()}
    plain.load_state_dict(shared)
    image = torch.rand(1, 1, 16, 16, 16)
    outputs = network(image)
    assert [tuple(o.shape[2:]) for o in outputs] == [(16,) * 3, (8,) * 3, (4,) * 3]
    sum(output.sum() for output in outputs).backward()
    assert all(head.weight.grad.abs().sum() > 0 for head in network.heads)
    logits = network.eval()(image)
    assert torch.equal(logits, plain.eval()(image))
    for head in network.heads[1:]:
        nn.init.constant_(head.weight, float("nan"))
    assert torch.equal(network(image), logits)


def test_the_number_of_heads():
    wishes = (False, 0, 1, 2, True)
    counts = [len(UNet(1, 2, channels=[2, 2, 2, 2], deep_supervision=wish).heads) for wish in wishes]
    assert counts == [1, 1, 2, 3, 3]
    with_encoder = UNet(1, 2, spatial_dims=2, encoder="resnet18", encoder_width=0.0625, deep_supervision=True)
    assert len(with_encoder.heads) == 5


def test_an_unpadded_network_sees_only_what_its_output_depends_on():
    network = UNet(
        1,
        2,
        spatial_dims=2,
        channels=[4, 8],
        norm="none",
        padding="valid",
        downsampling="max",
        activation="relu",
    ).eval()
    image = torch.rand(1, 1, 24, 24, requires_grad=True)
    logits = network(image)
    assert logits.shape[2:] == (8, 8)
    logits[0, 0, 0, 0].backward()
    # The first output pixel looks at the image's first corner and not beyond its field of view of 18 pixels.
    assert image.grad[0, 0, :, 18:].abs().max() == 0
    assert image.grad[0, 0, :4, :4].abs().max() > 0


@pytest.mark.parametrize(("dims", "shape"), [(3, (1, 1, 8, 8)), (2, (1, 1, 8, 8, 8)), (2, (1, 8, 8))])
def test_an_image_of_another_number_of_axes_is_refused(dims, shape):
    network = UNet(1, 2, spatial_dims=dims, **SMALL)
    with pytest.raises(ValueError, match=rf"image: expected \[B, C\] and {dims} spatial axes, found"):
        network(torch.rand(shape))


GOLDEN = {
    "plain": [-0.009184, -0.465404, -0.157649, 1.073068],
    "basic": [-0.004182, -0.523657, 0.096778, 1.514333],
    "resnext": [-0.002157, 2.664212, 0.550382, 1.4191],
    "highway": [-0.675534, -0.848115, -0.084053, 1.008617],
    "preactivation": [-0.200206, -0.096467, 0.10751, 0.441059],
    "encoder": [0.402825, 0.011518, 0.027275, 0.815575],
}
OTHERS = {
    "preactivation": {"unit": "basic", "residual": CLEAN, "skip": "add"},
    "encoder": {"encoder": "cifar_resnet8", "encoder_width": 0.25},
}


@pytest.mark.parametrize("name", list(GOLDEN))
def test_golden_logits(name):
    torch.manual_seed(7)
    network = UNet(1, 2, **{"channels": [2, 4], **OTHERS.get(name, {"unit": name})}).eval()
    image = torch.linspace(-1.0, 1.0, 64).reshape(1, 1, 4, 4, 4)
    with torch.no_grad():
        logits = network(image)
    found = [logits[0, 0, 0, 0, 0], logits[0, 1, 3, 3, 3], logits.mean(), logits.std()]
    torch.testing.assert_close(torch.stack(found), torch.tensor(GOLDEN[name]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spatial_dims": 1}, "spatial_dims"),
        ({"padding": "mirror"}, "padding"),
        ({"downsampling": "mean"}, "downsampling"),
        ({"padding": "valid"}, "expected max"),
        ({"kernel_sizes": [3, 2, 3]}, "odd"),
        ({"deep_supervision": 2}, "at most 1"),
        ({"deep_supervision": -1}, "at most 1"),
        ({"deep_supervision": True, "padding": "valid", "downsampling": "max"}, "expected padding 'same'"),
        ({"unit": "dense"}, "unit"),
        ({"decoder_unit": "dense"}, "decoder_unit"),
        ({"units_per_level": 0}, "units_per_level"),
        ({"strides": [1, 2]}, "strides"),
        ({"stem": "imagenet"}, "stem: expected convolution or null without an encoder, found 'imagenet'"),
        ({"stem": "patch"}, "stem: expected convolution or null"),
        ({"skip": "multiply"}, "skip"),
        ({"init": "uniform"}, "init"),
        ({"dropout": -0.1}, "dropout"),
        ({"encoder": "resnet51"}, "encoder: .* nearest is resnet50"),
        ({"encoder": "cifar_resnet8", "padding": "valid"}, "padding: expected same with encoder 'cifar_resnet8'"),
        ({"encoder": "cifar_resnet8", "encoder_width": 0.0}, "width"),
        ({"encoder": "cifar_resnet8", "deep_supervision": 2}, "at most 1"),
        ({"encoder": "cifar_resnet8", "unit": "dense"}, "unit"),
        ({"encoder": "resnet18", "residual": CLEAN}, r"residual\.preactivation"),
        ({"residual": CLEAN}, "residual: expected nothing here, as no unit is residual"),
        ({"encoder": "densenet121", "encoder_width": 0.125, "residual": CLEAN}, "as no unit is residual"),
        ({"unit": "highway", "residual": ResidualOptions(survival=0.5)}, "as no unit is residual"),
        ({"encoder_width": 0.5}, "encoder_width: expected an encoder that it is for, found 0.5 and none"),
        ({"encoder": "cifar_resnet8", "units_per_level": 0}, "decoder_units_per_level: expected at least 1, found 0"),
        ({"encoder": "cifar_resnet8", "units_per_level": []}, "decoder_units_per_level: expected at least one entry"),
        ({"encoder": "cifar_resnet8", "decoder_units_per_level": [1, 0]}, "decoder_units_per_level"),
        ({"encoder": "cifar_resnet8", "channels": [4], "decoder_unit": []}, "decoder_unit: expected at least one"),
        ({"norm": "group"}, "norm_groups: expected a divisor of 4 channels, found 8"),
        ({"norm": "group", "norm_groups": 0}, "norm_groups: expected a divisor of 4 channels, found 0"),
    ],
)
def test_contradictions_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        UNet(1, 2, **{**SMALL, **options})
