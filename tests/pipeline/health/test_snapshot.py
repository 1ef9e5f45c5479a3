import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor
from torch.utils._pytree import tree_leaves

from pipeline.health.snapshot import HealthySnapshot


class Keep(Callback):
    """Takes a snapshot before the third step and none later, and writes it at the end."""

    def __init__(self, folder):
        self.snapshot, self.path, self.due = HealthySnapshot(every_n_steps=5), folder / "kept.ckpt", []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.due.append(self.snapshot.is_due(trainer))
        if trainer.global_step == 2:
            self.snapshot.take(trainer)

    def on_train_end(self, trainer, pl_module):
        self.words = self.snapshot.write(trainer, self.path)
        trainer.save_checkpoint(self.path.with_name("usual.ckpt"))


def test_a_snapshot_is_a_checkpoint_of_its_step_whatever_comes_later(fit, small, tmp_path):
    keep, task = Keep(tmp_path), small(optimizer="adamw")
    fit(task, [keep], steps=6)
    found, usual = (torch.load(tmp_path / name, weights_only=True) for name in ("kept.ckpt", "usual.ckpt"))
    assert found.keys() == usual.keys()
    assert found["global_step"] == 2
    assert torch.equal(found["state_dict"]["network.0.weight"], task.weights[2]["0.weight"])
    assert not torch.equal(usual["state_dict"]["network.0.weight"], task.weights[2]["0.weight"])
    steps = [state["step"] for state in found["optimizer_states"][0]["state"].values()]
    assert {float(step) for step in steps} == {2.0}
    assert all(torch.isfinite(leaf).all() for leaf in tree_leaves(found) if isinstance(leaf, Tensor))
    assert keep.words == f"the state before step 2 is in {keep.path}; all its weights are finite"


def test_the_first_is_due_at_once_and_the_next_after_some_steps(fit, small, tmp_path):
    keep = Keep(tmp_path)
    fit(small(), [keep], steps=6)
    assert keep.due == [True, True, True, False, False, False]


def test_copying_takes_a_small_share_of_the_time(fit, small, tmp_path):
    keep = Keep(tmp_path)
    trainer = fit(small(), [keep], steps=6)
    snapshot = keep.snapshot
    snapshot.step = -10
    assert snapshot.is_due(trainer)  # none yet
    snapshot.step = 0
    snapshot._next_at = float("inf")
    assert not snapshot.is_due(trainer)
    snapshot._next_at = 0.0
    assert snapshot.is_due(trainer)
