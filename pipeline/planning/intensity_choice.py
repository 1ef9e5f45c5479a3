"""How the intensities of each channel become network input: by the channel's name, else by its values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from datamodules.intensity import Scheme
from pipeline.planning.fingerprint import ChannelPrint
from pipeline.planning.noted import Noted

_CT = {"ct", "cbct", "ldct", "cta", "hu", "hounsfield"}
_MR = {"mr", "mri", "t1", "t1w", "t1c", "t1ce", "t1gd", "t1n", "t2", "t2w", "t2f", "flair", "adc", "dwi", "pd", "pdw"}
_MR |= {"swi", "bold", "dti", "dce", "cine", "us", "ultrasound", "pet"}
# A CT holds air, at about -1000 HU, and something denser than fat.
_AIR_BELOW, _LOWEST_CT, _DENSE = -700.0, -4096.0, 100.0


def choose_intensities(channels: Sequence[ChannelPrint], dtypes: Mapping[str, int], *, directed: bool) -> Noted:
    """Return the scheme, one for all channels where they agree, else one for each.

    Args:
        channels: Of the data set.
        dtypes: Stored data types.
        directed: Whether the files tell a patient's axes.
    """
    found = [_scheme(channel, dtypes, directed=directed) for channel in channels]
    schemes = [scheme for scheme, _ in found]
    words = dict.fromkeys(reason for _, reason in found)
    return Noted(schemes[0] if len(set(schemes)) == 1 else schemes, "; ".join(words))


def _scheme(channel: ChannelPrint, dtypes: Mapping[str, int], *, directed: bool) -> tuple[Scheme, str]:
    words = set(re.split(r"[^a-z0-9]+", channel.name.lower()))
    if words & _CT:
        return (
            "ct",
            f"by its name, channel {channel.name} is CT: HU mean the same everywhere; clipped to the structures' range",
        )
    if words & _MR:
        return (
            "zscore",
            f"by its name, channel {channel.name} is not in HU: scans differ in unit, so each image by itself",
        )
    if not directed:
        kind = "8-bit " if set(dtypes) <= {"uint8"} else ""
        return "rescale", f"{kind}images, each brought to 0..1: their values are a matter of exposure"
    if _LOWEST_CT <= channel.lowest_typical <= _AIR_BELOW and channel.maximum >= _DENSE:
        return "ct", f"channel {channel.name} begins at {channel.lowest_typical:.0f}, air in HU: taken for CT"
    return "zscore", f"channel {channel.name} is not in HU by name or values, so each image by itself"
