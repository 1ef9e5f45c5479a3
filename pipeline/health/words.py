"""Say in the log what looks sick about a training, each kind once."""

import logging

from pipeline.health.detectors import Alarm, Explosion, LossSpike, collapsed, too_large, vanishing
from pipeline.health.probe import Sample

log = logging.getLogger(__name__)

_FIRST_PART = 0.1  # of the training, in which an output may still be constant


class HealthWarnings:
    """Feed the detectors and log what they find: once per kind until it has passed and comes again.

    Args:
        warn: Whether to log; the detectors work all the same.
    """

    def __init__(self, warn: bool) -> None:
        self._warn = warn
        self._explosion, self._spike = Explosion(), LossSpike()
        # At the start, zero-initialised layers pass no gradient on: a single sample proves nothing.
        self._alarms = {
            "vanishing": Alarm(patience=3, quiet=3),
            "too large": Alarm(patience=1, quiet=3),
            "collapsed": Alarm(patience=3, quiet=3),
            "explosion": Alarm(patience=1, quiet=100),
            "spike": Alarm(patience=1, quiet=100),
        }

    def check_step(self, step: int, loss: float, norm: float) -> bool:
        """Take over a step's loss and the norm of its gradient, and return whether both look healthy."""
        exploded, spiked = self._explosion.check(norm), self._spike.check(loss)
        self._say("explosion", step, exploded)
        self._say("spike", step, spiked)
        return not (exploded or spiked or self._spike.suspicious)

    def check_sample(self, sample: Sample, fraction: float) -> None:
        """Take over a sampled step, and the part of the training that is done."""
        self._say("vanishing", sample.step, vanishing(sample.layers))
        self._say("too large", sample.step, too_large(sample))
        if fraction > _FIRST_PART:
            self._say("collapsed", sample.step, collapsed(sample))

    def _say(self, kind: str, step: int, words: str) -> None:
        if self._alarms[kind].rings(bool(words)) and self._warn:
            log.warning("step %d: %s", step, words)
