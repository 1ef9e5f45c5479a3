import torch


def test_mixed_precision_is_finite_forward_and_backward(subject, helpers):
    network = subject.make()
    image = subject.images(network)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = helpers.as_list(network(image))
    assert all(output.dtype == torch.bfloat16 and output.isfinite().all() for output in outputs)
    helpers.weighted_sum(outputs).backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
