"""Folders of cases with one mask file for each structure, which may overlap."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from datamodules.case_names import claim_channels, list_volumes, refuse_twins, same_name
from datamodules.cases import Case
from datamodules.formats import volume_name
from datamodules.formats.base import ReadOptions
from datamodules.formats.dicom.images import dicom_files
from datamodules.formats.errors import DataError
from datamodules.layouts import pairs
from datamodules.layouts.base import Found, Stated
from datamodules.layouts.masks import complete_masks
from datamodules.layouts.pairing import by_name, is_dicom, list_folders, list_images, refuse_unlabelled

NAME = "structures"
EXAMPLE = """\
CASE/ct.nii.gz              (several files are channels; or images/CASE.nii.gz)
CASE/segmentations/liver.nii.gz, spleen.nii.gz, ...   (or CASE/masks/; or labels/CASE/liver.nii.gz)"""
_MASK_FOLDERS = ("segmentations", "masks", "labels", "structures")
_FLAT = (".png", ".bmp", ".tif", ".tiff")


def claims(root: Path) -> bool:
    """Tell whether folders of cases hold a folder of masks, or a folder of labels holds one folder for each case."""
    if not root.is_dir():
        return False
    return any(_is_case(path) for path in list_folders(root)) or _is_beside(root)


def cases(root: Path, stated: Stated) -> Found:
    """List the cases with their masks, in the order of the labels that are stated or else of their names.

    Raises:
        DataError: If a mask is absent from a case, channels are uneven, or an image has no masks.
    """
    if _is_beside(root):
        images, folders, names = _beside(root, stated)
    else:
        images, folders, names = _within(root, stated)
    labelled = {case: files for case, files in images.items() if case in folders}
    unlabelled = [case for case in images if case not in folders]
    refuse_unlabelled(root, unlabelled, len(images), stated)
    masks = {case: by_name(folders[case], list_volumes(folders[case])) for case in labelled}
    structures = complete_masks(root, masks, stated.labels)
    return Found(
        [
            Case(case, case, files, masks=tuple(masks[case][name] for name in structures), spacing_mm=stated.spacing_mm)
            for case, files in labelled.items()
        ],
        channel_names=names,
        structures=structures,
        unlabelled=tuple(images[case][0] for case in unlabelled),
        unused=tuple(path for case, path in folders.items() if case not in images),
    )


def _within(root: Path, stated: Stated) -> tuple[dict[str, tuple[Path, ...]], dict[str, Path], tuple[str, ...]]:
    """Return the images of each CASE/, the folder of its masks, and the names of the channels."""
    images, folders = {}, {}
    for folder in list_folders(root):
        if files := _images(folder, stated):
            channels = [(_channel(folder.name, path), path) for path in files]
            refuse_twins(folder, [(name, path.name) for name, path in channels])
            images[folder.name] = dict(channels)
        if masks := _mask_folder(folder):
            folders[folder.name] = masks
            if not files:
                _refuse_nested(folder)
    names = _channels(root, images)
    refuse_twins(root, [(name, name) for name in images])
    return {case: tuple(found[name] for name in names) for case, found in images.items()}, folders, names


def _images(folder: Path, stated: Stated) -> list[Path]:
    """Return the images of a case, which may be the slices of a DICOM series."""
    if is_dicom(folder, stated.options):
        return [folder]
    return list_images(folder, stated.options, _MASK_FOLDERS)


def _channels(root: Path, images: Mapping[str, Mapping[str, Path]]) -> tuple[str, ...]:
    """Return the images that every case has, by name; cases of other images are refused."""
    every = sorted({name for found in images.values() for name in found})
    if uneven := [case for case, found in images.items() if sorted(found) != every]:
        raise DataError(
            root,
            expected=f"the images {', '.join(every)} in every case",
            found="; ".join(f"{case}: {', '.join(sorted(images[case]))}" for case in uneven[:5]),
            remedy="add the missing ones, or list the files in a CSV",
        )
    return tuple(every)


def _channel(case: str, path: Path) -> str:
    """Return what tells the images of a case apart: CASE_t1.nii.gz is t1."""
    name = same_name(volume_name(path))
    return name.removeprefix(same_name(case)).strip("_-. ") or "image"


def _beside(root: Path, stated: Stated) -> tuple[dict[str, tuple[Path, ...]], dict[str, Path], tuple[str, ...]]:
    """Return the images of images/, and the folders of labels/ that bear their names."""
    image_folder, label_folder = pairs.folders_of(root)
    folders = by_name(label_folder, list_folders(label_folder))
    files = list_images(image_folder, stated.options)
    images = pairs.images_of(image_folder, files, folders)
    found = {same_name(name): channels for name, channels in images.items()}
    return found, folders, ()


def _is_beside(root: Path) -> bool:
    """Tell whether labels/ holds folders of masks: others than slices, or for images that are files."""
    if not pairs.claims(root):
        return False
    image_folder, label_folder = pairs.folders_of(root)
    folders = [path for path in list_folders(label_folder) if list_volumes(path)]
    inside = list_folders(image_folder)
    slices = {path.name for path in inside} | {name for name, _, _ in claim_channels(inside)}
    return any(path.name not in slices or _has_volumes(list_volumes(path)) for path in folders)


def _has_volumes(files: Sequence[Path]) -> bool:
    return any(path.suffix.lower() not in _FLAT for path in files)


def _is_case(folder: Path) -> bool:
    """Tell whether a folder holds masks, and something else that they can belong to unless their folder's name says."""
    masks = _mask_folders(folder)
    if not masks:
        return False
    said = any(path.name.lower() == _MASK_FOLDERS[0] for path in masks)
    return said or bool(list_images(folder, ReadOptions(), _MASK_FOLDERS)) or _nested(folder) is not None


def _mask_folder(folder: Path) -> Path | None:
    found = _mask_folders(folder)
    if len(found) > 1:
        shown = ", ".join(f"{path.name}/" for path in found)
        raise DataError(folder, "one folder of masks", shown, "move all but one elsewhere, or list the masks in a CSV")
    return found[0] if found else None


def _mask_folders(folder: Path) -> list[Path]:
    return [path for path in list_folders(folder) if path.name.lower() in _MASK_FOLDERS and list_volumes(path)]


def _refuse_nested(folder: Path) -> None:
    """Refuse a case whose series lies deeper than in the case's folder or in one below it."""
    nested = _nested(folder)
    if nested is not None:
        raise DataError(
            folder,
            expected=f"a DICOM series in {folder.name}/ itself or in a folder there",
            found=str(nested.relative_to(folder)),
            remedy="move each series up, such as to CASE/ct/, or list the folders of the series in a CSV",
        )


def _nested(folder: Path) -> Path | None:
    """Return a DICOM file of a case, at any depth, that is no mask."""
    found = (path for path in dicom_files(folder) if path.relative_to(folder).parts[0].lower() not in _MASK_FOLDERS)
    return next(found, None)
