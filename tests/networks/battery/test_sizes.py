import math
import re

import pytest
import torch

from networks.members import MEMBERS


def takes_some_sizes_alone(network) -> bool:
    return hasattr(network, "multiple") or network.init_args.get("padding") == "valid"


def expected_sizes(network, size, outputs) -> list[tuple[int, ...]]:
    """Return the spatial sizes of the outputs for an image's size."""
    if network.answers == "classes":
        return [()]
    if network.answers == "heatmaps":
        return [tuple(length // 4 for length in size)] * len(outputs)
    return [tuple(math.ceil(length / 2**level) for length in size) for level in range(len(outputs))]


@pytest.fixture(scope="module")
def trained(subject, helpers):
    """A network behind a backward pass of weighted outputs, its images and the outputs."""
    network = subject.make()
    image = subject.images(network)
    outputs = helpers.as_list(network(image))
    helpers.weighted_sum(outputs).backward()
    return network, image, outputs


def test_forward_and_backward_at_an_odd_size_or_a_clear_error_that_names_those_that_fit(subject, trained, helpers):
    network, image, outputs = trained
    size = image.shape[2:]
    odd = helpers.odd_sizes[subject.spatial_dims]
    if takes_some_sizes_alone(network):
        with pytest.raises(ValueError, match="nearest") as caught:
            network(torch.zeros(1, network.in_channels, *odd))
        named = re.findall(r"\d+", str(caught.value).split("nearest")[1])
        assert str(size[0]) in named
    else:
        assert size == odd
    assert all(output.shape[:2] == (2, network.out_channels) and output.isfinite().all() for output in outputs)
    if network.init_args.get("padding") == "valid":
        assert all(0 < length < size[0] for length in outputs[0].shape[2:])
    else:
        assert [tuple(output.shape[2:]) for output in outputs] == expected_sizes(network, size, outputs)


def test_a_gradient_reaches_every_parameter(trained):
    network = trained[0]
    assert network.training
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
    assert [name for name, parameter in network.named_parameters() if parameter.grad.abs().max() == 0] == []


@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_takes_the_size_of_its_paper_at_full_width(name, helpers):
    member = MEMBERS[name]
    size = (member.size,) * member.spatial_dims
    with torch.device("meta"):
        network = member.make().eval()
        outputs = helpers.as_list(network(torch.zeros(1, member.channels[0], *size)))
    if network.init_args.get("padding") == "valid":
        size = (388, 388)  # of 572, figure 1 of the paper
    assert [output.shape[1] for output in outputs] == [member.channels[1]] * len(outputs)
    assert [tuple(output.shape[2:]) for output in outputs] == expected_sizes(network, size, outputs)
