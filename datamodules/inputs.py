"""The cases that a prediction shall work through: one file, or the files of a folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from datamodules.cases import CHANNEL_SUFFIX, Case, claim_channels, group_channels, list_volumes
from datamodules.formats import SUFFIXES, image, is_volume_file, strip_suffix, suffix_of
from datamodules.formats.errors import DataError


def find_inputs(path: Path, channels: int) -> list[Case]:
    """List the cases to predict, sorted by id.

    A channel that is missing from a case is listed under the name that it should have: reading that case
    fails by name, and the others go on. A single file that holds all channels (a colour image) is taken as
    it is. Numbered images (img_0000.png to img_0099.png) are cases of their own where their numbers go beyond the
    model's channels.

    Args:
        path: A volume file, or a folder of volume files; hidden and other files are passed over.
        channels: The number of channels that the model needs.

    Raises:
        DataError: If nothing is there, ids are equal but for case (F31), or every case has too few or
            too many channels (F32).
    """
    near = list_volumes(path) if path.is_dir() else _siblings(path)
    frames = _frames(near, channels)
    files = near if path.is_dir() or (path not in frames and channels > 1) else [path]
    if not files:
        raise DataError(
            path,
            expected=f"volumes ({', '.join(SUFFIXES)})",
            found="none in the folder",
            remedy="give the folder that holds the image files themselves",
        )
    groups = group_channels(path if path.is_dir() else path.parent, files, whole=frames)
    cases = [_input_case(name, groups[name], channels) for name in sorted(groups)]
    _refuse_wrong_channels(path, groups, channels)
    return cases


def _frames(files: Sequence[Path], channels: int) -> frozenset[Path]:
    """Return the images whose digits are no channels, as some are higher than the model has."""
    images = [path for path in files if _is_image(path)]
    beyond = any(channel >= channels for _, channel, _ in claim_channels(images))
    return frozenset(images if beyond else ())


def _is_image(path: Path) -> bool:
    return suffix_of(path).lower() in image.SUFFIXES


def _siblings(path: Path) -> list[Path]:
    """Return a single input with the other channels that may lie beside it."""
    if not path.exists():
        raise DataError(path, expected="a file or folder", found="nothing", remedy="check the path of the input")
    if not is_volume_file(path):
        raise DataError(
            path,
            expected=f"a volume ({', '.join(SUFFIXES)})",
            found=f"a file named {path.name}",
            remedy="convert it to one of these formats",
        )
    match = CHANNEL_SUFFIX.fullmatch(strip_suffix(path))
    if match is None:
        return [path]
    others = [other for other in list_volumes(path.parent) if _channel_of(other, match["name"]) is not None]
    return others if any(_channel_of(other, match["name"]) == 0 for other in others) else [path]


def _channel_of(path: Path, name: str) -> int | None:
    """Return the channel number in the file's name, if it is a channel of case `name`."""
    match = CHANNEL_SUFFIX.fullmatch(strip_suffix(path))
    return int(match["channel"]) if match and match["name"] == name else None


def _input_case(name: str, found: Mapping[int, Path], channels: int) -> Case:
    files = dict(found)
    # a single image may hold all channels as colours
    if _channel_of(found[0], name) == 0 and not (len(found) == 1 and _is_image(found[0])):
        ending = found[0].name.removeprefix(strip_suffix(found[0]))
        for channel in range(channels):
            files.setdefault(channel, found[0].with_name(f"{name}_{channel:04d}{ending}"))
    return Case(id=name, group=name, images=tuple(files[channel] for channel in sorted(files)))


def _refuse_wrong_channels(path: Path, groups: Mapping[str, Mapping[int, Path]], channels: int) -> None:
    """Refuse when no case can fit; a single file may hold several channels, which reading will tell."""
    counts = {len(found) for found in groups.values()}
    single = any(
        len(found) == 1 and (_channel_of(found[0], name) is None or _is_image(found[0]))
        for name, found in groups.items()
    )
    if channels not in counts and not (single and channels > 1):
        raise DataError(
            path,
            expected=f"{channels} channel(s) per case, named NAME_0000 to NAME_{channels - 1:04d}",
            found=f"{', '.join(map(str, sorted(counts)))} file(s) per case",
            remedy="give the same channels as in training, or take a model that was trained on these",
        )
