import json

import torch
from safetensors.torch import load_file, save_file

from networks.base import build, describe


def test_weights_come_back_from_safetensors_into_a_network_built_from_its_description(subject, helpers, tmp_path):
    network, image = subject.settled(helpers.small_sizes)
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    again = build(json.loads(json.dumps(describe(network))))
    assert describe(again) == describe(network)
    again.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    with torch.no_grad():
        pairs = zip(helpers.as_list(network(image)), helpers.as_list(again.eval()(image)), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)
