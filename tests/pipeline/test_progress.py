import pytest

from pipeline.progress import ValidationPacing, clock
from pipeline.tasks.base import Task


class Fraction(Task):
    """A task that is somewhere in its training."""

    def __init__(self):
        super().__init__(lambda i, o: None, "adamw", 1e-3, 0.0, 0.0)

    def forward(self, image):
        return image


class Limits:
    """The one trainer attribute that pacing turns."""

    limit_val_batches = 1.0


def validated_at(fractions, parts):
    trainer, task, pacing = Limits(), Fraction(), ValidationPacing(parts)
    pacing.on_fit_start(trainer, task)
    at = []
    for task.fraction in fractions:
        pacing.on_train_batch_end(trainer, task, None, None, 0)
        if trainer.limit_val_batches:
            at.append(task.fraction)
            pacing.on_validation_end(trainer, task)
    return at


def test_validation_comes_once_in_each_part_and_not_at_the_end():
    at = validated_at([n / 100 for n in range(101)], parts=10)
    assert at == pytest.approx([n / 10 for n in range(1, 10)])


def test_epochs_longer_than_a_part_validate_each():
    assert validated_at([0.3, 0.6, 0.9, 1.0], parts=10) == [0.3, 0.6, 0.9]


def test_clock_shows_hours_minutes_seconds():
    assert clock(3725.4) == "1:02:05"
