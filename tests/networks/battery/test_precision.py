import torch


def test_mixed_precision_is_finite_forward_and_backward(subject, helpers):
    # Around an encoder with the norm that a user gets by default; the other tests have the encoder's own.
    network = subject.make(**{"norm": "instance"} if subject.around else {})
    image = subject.images(network)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = helpers.as_list(network(image))
    assert all(output.dtype == torch.bfloat16 and output.isfinite().all() for output in outputs)
    helpers.weighted_sum(outputs).backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
