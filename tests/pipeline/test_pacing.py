import pytest

from pipeline import pacing
from pipeline.pacing import ValidationPacing
from pipeline.tasks.base import Task


class Fraction(Task):
    """A task that is somewhere in its training."""

    def __init__(self):
        super().__init__(lambda i, o: None, "adamw", 1e-3, 0.0, 0.0, 0.0)

    def check(self, data):
        raise NotImplementedError

    def finish(self, trainer, folder):
        raise NotImplementedError

    def forward(self, image):
        return image

    def update_fraction(self):
        return self.fraction


class Limits:
    """What pacing asks of a trainer."""

    limit_val_batches = 1.0

    class strategy:  # noqa: N801
        """One rank."""

        broadcast = staticmethod(lambda value: value)


@pytest.fixture
def validated_at(monkeypatch):
    """Run through fractions of a training of 1000 s and return where it was validated."""

    def run(fractions, parts, seconds):
        now = [0.0]
        monkeypatch.setattr(pacing.time, "monotonic", lambda: now[0])
        trainer, task, callback = Limits(), Fraction(), ValidationPacing(parts)
        callback.on_fit_start(trainer, task)
        at = []
        for task.fraction in fractions:
            now[0] = max(now[0], 1000 * task.fraction)
            callback.on_train_batch_end(trainer, task, None, None, 0)
            if trainer.limit_val_batches:
                at.append(task.fraction)
                callback.on_validation_start(trainer, task)
                now[0] += seconds
                callback.on_validation_end(trainer, task)
        return at

    return run


def test_validation_comes_once_in_each_part_and_not_at_the_end(validated_at):
    at = validated_at([n / 100 for n in range(101)], parts=10, seconds=0)
    assert at == pytest.approx([n / 10 for n in range(1, 10)])


def test_epochs_longer_than_a_part_validate_each(validated_at):
    assert validated_at([0.3, 0.6, 0.9, 1.0], parts=10, seconds=0) == [0.3, 0.6, 0.9]


def test_long_validations_come_less_often(validated_at):
    at = validated_at([n / 100 for n in range(101)], parts=10, seconds=60)
    assert at[0] == 0.1
    assert 2 <= len(at) <= 1 + 1000 * 0.15 / 60
