"""How pose images may be changed at random while a network trains."""

from dataclasses import dataclass, fields


@dataclass
class PoseAugmentation:
    """Probabilities (`_p`) and strengths of random changes to a training image.

    All geometry is one affine map, so that pixels are sampled once.

    Args:
        rotation_p: Chance of a rotation.
        rotation_degrees: Largest angle to either side; up to 180 for views from above.
        scaling_p: Chance of a change of size.
        scaling: Range of the factor; above 1 subjects grow.
        shift_p: Chance of a shift.
        shift: Largest shift along each axis, as a share of the input's extent.
        flip_p: Chance of a mirror image, in which left and right joints change places.
        half_body_p: Chance of a cut about one half of a subject's joints; only where subjects are cut out by boxes.
        half_body_joints: Subjects with fewer labelled joints are never halved.
        blur_p: Chance of a blur, by a Gaussian or along a line.
        blur_sigma_px: Range of the Gaussian's sigma in pixels of the input.
        brightness_p: Chance of other brightness and contrast.
        brightness: Largest change of the brightness, as a share of white.
        contrast: Largest change of the contrast, as a share.
        gamma_p: Chance of a gamma curve.
        gamma: Range of its exponent.
        colour_p: Chance of other hues and saturation; grey images stay grey.
        hue_degrees: Largest turn of the hue.
        saturation: Largest change of the saturation, as a share of its range.
        noise_p: Chance of Gaussian noise.
        noise_std: Largest deviation of the noise, as a share of white.
        occlusion_p: Chance of rectangles that cover part of the image; the joints below them count as occluded.
        occlusion_count: Most rectangles in an image.
        occlusion_size: Range of a rectangle's edges, as a share of the input's.
    """

    rotation_p: float = 0.6
    rotation_degrees: float = 40.0
    scaling_p: float = 1.0
    scaling: tuple[float, float] = (0.7, 1.3)
    shift_p: float = 1.0
    shift: float = 0.08
    flip_p: float = 0.5
    half_body_p: float = 0.1
    half_body_joints: int = 8
    blur_p: float = 0.1
    blur_sigma_px: tuple[float, float] = (0.3, 1.5)
    brightness_p: float = 0.4
    brightness: float = 0.2
    contrast: float = 0.25
    gamma_p: float = 0.2
    gamma: tuple[float, float] = (0.7, 1.5)
    colour_p: float = 0.3
    hue_degrees: float = 20.0
    saturation: float = 0.15
    noise_p: float = 0.1
    noise_std: float = 0.04
    occlusion_p: float = 0.2
    occlusion_count: int = 3
    occlusion_size: tuple[float, float] = (0.08, 0.25)

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name.endswith("_p") and not 0.0 <= value <= 1.0:
                raise _error(item.name, "a probability from 0 to 1", value)
        for name in ("scaling", "gamma", "blur_sigma_px", "occlusion_size"):
            low, high = getattr(self, name)
            if not 0.0 < low <= high < float("inf"):
                raise _error(name, "two numbers over 0, the lower first", [low, high])
        limits = {"rotation_degrees": 180.0, "hue_degrees": 180.0}
        for name in ("rotation_degrees", "shift", "brightness", "contrast", "hue_degrees", "saturation", "noise_std"):
            value, limit = getattr(self, name), limits.get(name, 1.0)
            if not 0.0 <= value <= limit:
                raise _error(name, f"a number from 0 to {limit:g}", value)
        if self.occlusion_size[1] > 1.0:
            raise _error("occlusion_size", "shares of the input's edges, 1 at most", list(self.occlusion_size))
        for name, least in (("half_body_joints", 2), ("occlusion_count", 1)):
            if getattr(self, name) < least:
                raise _error(name, f"{least} or more", getattr(self, name))


def _error(name: str, expected: str, found: object) -> ValueError:
    return ValueError(f"data.augmentation.{name}: expected {expected}, found {found}")
