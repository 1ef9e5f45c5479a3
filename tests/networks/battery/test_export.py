"""Export to the program of `torch.export`, and from that to ONNX.

An export takes time for every layer, not for every multiplication.
"""

import gc
import logging

import pytest
import torch
from onnxruntime import InferenceSession, SessionOptions
from torch import Tensor

ERROR = 1e-4  # of the largest logit
# Odd, but with little to pad: onnxruntime sums an instance norm in float32 one by one, which goes wrong by 5e-4 where
# most of a volume is constant.
SIZES = {2: (65, 33), 3: (63, 63, 31)}


@pytest.fixture(autouse=True)
def _quiet_and_without_garbage_collection():
    # Graphs are all that is allocated, and none of it is garbage before the end: collecting costs a tenth.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    gc.disable()
    yield
    gc.enable()


def assert_equal(found: list[Tensor], expected: list[Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert float((one.detach() - other).abs().max()) <= ERROR * float(other.abs().max())


def run_onnx(program: torch.export.ExportedProgram, image: Tensor) -> list[Tensor]:
    """Export a program to ONNX and run that."""
    exported = torch.onnx.export(program, (), dynamo=True, verbose=False, external_data=False)
    options = SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = InferenceSession(exported.model_proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [torch.from_numpy(output) for output in session.run(None, {session.get_inputs()[0].name: image.numpy()})]


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
def test_exported_programs_give_the_same_logits(exported_subject, helpers):
    network, image = exported_subject.settled(SIZES)
    with torch.no_grad():
        expected = helpers.as_list(network(image))
    program = torch.export.export(network, (image,))
    assert_equal(helpers.as_list(program.module()(image)), expected)
    if helpers.is_run_by_onnx(exported_subject):
        assert_equal(run_onnx(program, image), expected)
