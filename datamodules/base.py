"""What every task may ask of its data."""

from abc import ABC, abstractmethod

from pytorch_lightning import LightningDataModule

from datamodules.splits import Split


class DataModule(LightningDataModule, ABC):
    """Base of the data modules that a config may name under `data`.

    Attributes:
        seed: Seed of every random draw, set from the config's `seed_everything`.
    """

    seed: int = 0

    @property
    @abstractmethod
    def in_channels(self) -> int:
        """Return the channels of a batch's image; known after `setup`."""

    @property
    @abstractmethod
    def out_channels(self) -> int:
        """Return the channels that the network must put out; known after `setup`."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """Return a SHA-256 over the content of all cases; known after `setup`."""

    @property
    @abstractmethod
    def split(self) -> Split:
        """Return which cases train and which validate; known after `prepare_data`."""
