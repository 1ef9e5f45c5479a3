"""What the server of worker processes imports once, so that neither readers nor trials wait for it."""

# ruff: noqa: F401 -- imported for their own sake
import torch._dynamo  # an optimiser imports it at its first step, which takes seconds

import datamodules.cache
import datamodules.integrity.inspection
import pipeline.planning.trial
