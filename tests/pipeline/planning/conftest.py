"""Cases, listings and data sets that plans are made of."""

import json
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pytest

from datamodules.cases import Case, CaseList
from datamodules.integrity.facts import CaseFacts, ChannelFacts, StructureFacts
from datamodules.labels import LabelSet
from pipeline.planning.budget import Budget
from pipeline.planning.fingerprint import take_fingerprint
from pipeline.planning.machine import Machine
from pipeline.planning.plan import Options


@pytest.fixture(scope="session")
def make_facts():
    """Return a function that makes what is known of one case."""

    def make(
        name="a",
        shape=(40, 50, 30),
        spacing_mm=(1.0, 1.0, 1.0),
        boxes=None,
        minimum=-1024.0,
        maximum=1500.0,
        air_shape=None,
        **changes,
    ):
        boxes = {"organ": ((5, 15), (5, 15), (5, 15))} if boxes is None else boxes
        structures = {
            each: StructureFacts(size := int(np.prod([b - a for a, b in box])), 1, size, size, box)
            for each, box in boxes.items()
        }
        channel = ChannelFacts(minimum, maximum, 0.0, 1.0, 0, np.ones(64, np.int64))
        values = {
            "case_id": name,
            "content": name,
            "voxels": name,
            "label_voxels": name,
            "shape": shape,
            "spacing_mm": spacing_mm,
            "orientation": "RAS",
            "affine": np.diag([*spacing_mm, 1.0]),
            "dtype": "int16",
            "limits": ((minimum, maximum),),
            "samples": np.linspace(0, 100, 50, dtype=np.float32)[None],
            "channels": (channel,),
            "structures": structures,
            "adjacency": (),
            "nonzero_shape": shape,
            "air_shape": air_shape or shape,
            "thumbnail": np.zeros((4, 4), np.uint8),
            "thumbnail_labels": np.zeros((4, 4), np.uint8),
            "file_bytes": 1000,
        }
        return CaseFacts(**(values | changes))

    return make


@pytest.fixture(scope="session")
def make_listing():
    """Return a function that makes the list of some cases, of files that need not be there."""

    def make(facts, names=("organ",), channel_names=("CT",), suffix=".nii.gz"):
        labels = LabelSet.from_json({"background": 0} | {name: value for value, name in enumerate(names, 1)})
        cases = tuple(Case(each.case_id, each.case_id, (Path(f"{each.case_id}{suffix}"),)) for each in facts)
        return CaseList(Path("data"), "nnunet", channel_names, labels, cases)

    return make


@pytest.fixture(scope="session")
def make_fingerprint(make_listing):
    """Return a function that takes the fingerprint of some facts."""

    def make(facts, **changes):
        names = tuple(dict.fromkeys(name for each in facts for name in each.structures)) or ("organ",)
        return take_fingerprint(make_listing(facts, names, **changes), {each.case_id: each for each in facts})

    return make


@pytest.fixture(scope="session")
def cpu():
    """A machine whose memory and precision depend on nothing."""
    return Machine("cpu", "cpu", "CPU, 1 thread", "32-true", "as said", 8 * 2**30)


@pytest.fixture
def make_options(tmp_path, cpu):
    """Return a function that makes the options of a plan, with a cache of its own."""

    def make(root, seconds=None, **changes):
        values = {"machine": cpu, "memory_bytes": 4 * 2**30, "budget": Budget("cpu", seconds), "workers": 0}
        return Options(root, **(values | {"cache_dir": tmp_path / "cache"} | changes))

    return make


@pytest.fixture(scope="session")
def write_volumes():
    """Return a function that writes a data set in the nnU-Net raw layout and returns its folder."""

    def write(root, *, count=5, shape=(20, 24, 16), spacing=(1.0, 1.0, 1.0), labels=("left lung", "right lung")):
        for folder in ("imagesTr", "labelsTr"):
            (root / folder).mkdir(parents=True)
        for number in range(count):
            rng = np.random.default_rng(number)
            label = np.zeros(shape, np.uint8)
            label[2:6, 4:12, 4:12], label[12:16, 4:12, 4:12] = 1, min(2, len(labels))
            image = rng.normal(-900, 20, shape) + 950 * (label > 0)
            affine = np.diag([*spacing, 1.0])
            nib.save(nib.Nifti1Image(image.astype(np.int16), affine), root / "imagesTr" / f"c{number}_0000.nii.gz")
            nib.save(nib.Nifti1Image(label, affine), root / "labelsTr" / f"c{number}.nii.gz")
        names = {"background": 0} | {name: value for value, name in enumerate(labels, 1)}
        description = {"channel_names": {"0": "CT"}, "labels": names, "file_ending": ".nii.gz", "numTraining": count}
        (root / "dataset.json").write_text(json.dumps(description))
        return root

    return write


@pytest.fixture(scope="session")
def write_persons():
    """Return a function that writes annotated persons in boxes as COCO keypoints, and returns their folder."""

    def write(root, *, count=12):
        names = ["head", *(f"{side}_{joint}" for joint in ("shoulder", "hip", "foot") for side in ("left", "right"))]
        places = np.array([[50, 15], [60, 30], [40, 30], [57, 55], [43, 55], [58, 90], [42, 90]])
        (root / "images").mkdir(parents=True)
        images, annotations = [], []
        for number in range(count):
            rng = np.random.default_rng(number)
            cv2.imwrite(str(root / "images" / f"p{number}.png"), rng.integers(0, 255, (110, 100, 3), dtype=np.uint8))
            images.append({"id": number, "file_name": f"p{number}.png", "width": 100, "height": 110})
            points = np.column_stack([places + rng.normal(0, 2, places.shape), np.full(len(names), 2)])
            box = [38.0, 10.0, 25.0, 85.0]
            annotations.append(
                {"id": number, "image_id": number, "category_id": 1, "bbox": box, "area": 2000.0, "num_keypoints": 7}
                | {"keypoints": points.round(2).reshape(-1).tolist(), "iscrowd": 0}
            )
        category = {"id": 1, "name": "person", "keypoints": names, "skeleton": [[1, 2], [1, 3]]}
        content = {"images": images, "annotations": annotations, "categories": [category]}
        (root / "annotations.json").write_text(json.dumps(content))
        return root

    return write
