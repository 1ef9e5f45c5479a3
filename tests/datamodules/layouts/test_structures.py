import pytest

from datamodules.cases import read_image, read_label
from datamodules.formats.errors import DataError
from datamodules.integrity.patients import hash_patient
from datamodules.layouts import find_cases

ORGANS = {"liver": (1, 1, 0), "tumour": (0, 255, 0), "vessel": (0, 0, 0)}


def write_case(root, name, write_mask, organs=ORGANS, images=("ct",)):
    for image in images:
        write_mask(root / name / f"{image}.nii.gz")
    for organ, values in organs.items():
        write_mask(root / name / "segmentations" / f"{organ}.nii.gz", values)


def test_case_folders_hold_a_mask_for_each_structure(tmp_path, write_mask):
    for name in ("s2", "s1"):
        write_case(tmp_path, name, write_mask)
    (tmp_path / "meta.csv").write_text("image_id\ns1\n", encoding="utf-8")
    listing = find_cases(tmp_path)
    assert (listing.layout, [case.id for case in listing.cases]) == ("structures", ["s1", "s2"])
    assert listing.channel_names == ("ct",)
    assert listing.labels.overlapping
    assert listing.labels.names == ("liver", "tumour", "vessel")
    case = listing.cases[0]
    assert case.label is None
    assert [path.name for path in case.masks] == ["liver.nii.gz", "tumour.nii.gz", "vessel.nii.gz"]
    encoded = listing.labels.encode(read_label(case).array)
    assert encoded.reshape(3, -1)[:, :3].tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_labels_choose_and_order_the_structures(tmp_path, write_mask):
    write_case(tmp_path, "s1", write_mask)
    write_case(tmp_path, "s2", write_mask, {"liver": (1,), "tumour": (1,)})
    listing = find_cases(tmp_path, labels={"background": 0, "tumour": 1, "liver": 2})
    assert listing.labels.names == ("tumour", "liver")
    assert [path.name for path in listing.cases[1].masks] == ["tumour.nii.gz", "liver.nii.gz"]


def test_one_structure_is_enough(tmp_path, write_mask):
    write_case(tmp_path, "s1", write_mask)
    listing = find_cases(tmp_path, labels={"tumour": 7})
    encoded = listing.labels.encode(read_label(listing.cases[0]).array)
    assert encoded.shape[0] == 1
    assert encoded.sum() == 1


def test_f16_a_mask_that_is_absent_from_a_case_is_refused_by_name(tmp_path, write_mask):
    write_case(tmp_path, "s1", write_mask)
    write_case(tmp_path, "s2", write_mask, {"liver": (1,)})
    with pytest.raises(DataError, match=r"none for tumour of s2, vessel of s2; add an empty mask"):
        find_cases(tmp_path)
    with pytest.raises(DataError, match=r"none for spleen of s1, spleen of s2"):
        find_cases(tmp_path, labels={"spleen": 1})


def test_f14_a_mask_of_two_values_is_refused(tmp_path, write_mask):
    write_case(tmp_path, "s1", write_mask, {"liver": (1, 2)})
    with pytest.raises(DataError, match=r"liver\.nii\.gz: expected a mask of one structure.*\[0, 1, 2\]"):
        read_label(find_cases(tmp_path).cases[0])


def test_f14_masks_have_no_use_for_a_label_map(tmp_path, write_mask):
    write_case(tmp_path, "s1", write_mask)
    with pytest.raises(DataError, match=r"no data\.label_map"):
        find_cases(tmp_path, label_map={2: 1})


def test_several_images_of_a_case_are_channels(tmp_path, write_mask):
    for name in ("p1", "p2"):
        write_case(tmp_path, name, write_mask, images=(f"{name}_t2", f"{name}_t1"))
    listing = find_cases(tmp_path)
    assert listing.channel_names == ("t1", "t2")
    assert read_image(listing.cases[0], 2).array.shape[0] == 2
    (tmp_path / "p2" / "p2_t2.nii.gz").unlink()
    with pytest.raises(DataError, match=r"images t1, t2 in every case.*p2: t1"):
        find_cases(tmp_path)


def test_images_without_masks_are_refused_and_masks_without_an_image_listed(tmp_path, write_mask):
    for name in ("s1", "s2"):
        write_case(tmp_path, name, write_mask)
    write_mask(tmp_path / "s3" / "ct.nii.gz")
    with pytest.raises(DataError, match=r"each of 3 images.*none for 1: s3"):
        find_cases(tmp_path)
    listing = find_cases(tmp_path, complete=False)
    assert listing.unlabelled == (tmp_path / "s3" / "ct.nii.gz",)
    (tmp_path / "s2" / "ct.nii.gz").unlink()
    assert find_cases(tmp_path, complete=False).unused == (tmp_path / "s2" / "segmentations",)


def test_masks_may_lie_in_folders_of_labels(tmp_path, write_mask, write_png):
    for name in ("a", "b"):
        write_mask(tmp_path / "volumes" / "images" / f"{name}.nii.gz")
        write_png(tmp_path / "flat" / "images" / f"{name}.png")
        for organ in ("liver", "spleen"):
            write_mask(tmp_path / "volumes" / "labels" / name / f"{organ}.nii.gz")
            write_png(tmp_path / "flat" / "labels" / name / f"{organ}.png", 255)
    for folder in ("volumes", "flat"):
        listing = find_cases(tmp_path / folder)
        assert (listing.layout, listing.labels.names) == ("structures", ("liver", "spleen"))
        assert [case.id for case in listing.cases] == ["a", "b"]
        assert read_label(listing.cases[0]).array.shape[0] == 2


def test_masks_on_different_grids_are_refused(tmp_path, write_mask, write_volume):
    write_case(tmp_path, "s1", write_mask, {"liver": (1,)})
    write_volume(
        tmp_path / "s1" / "segmentations" / "spleen.nii.gz", read_image(find_cases(tmp_path).cases[0]).array[0]
    )
    listing = find_cases(tmp_path)
    assert read_label(listing.cases[0]).array.shape[0] == 2
    write_volume(listing.cases[0].masks[1], read_image(listing.cases[0]).array[0][:4])
    with pytest.raises(DataError, match=r"spleen.*shape"):
        read_label(listing.cases[0])


def test_f31_folders_and_masks_may_be_links_and_a_broken_one_is_named(tmp_path, write_mask):
    write_case(tmp_path / "real", "s1", write_mask)
    root = tmp_path / "linked"
    root.mkdir()
    (root / "s1").symlink_to(tmp_path / "real" / "s1")
    (case,) = find_cases(root).cases
    assert read_label(case).array.shape[0] == 3
    mask = tmp_path / "real" / "s1" / "segmentations" / "tumour.nii.gz"
    mask.unlink()
    mask.symlink_to(tmp_path / "gone.nii.gz")
    with pytest.raises(DataError, match=r"tumour\.nii\.gz.*symbolic link to .*gone\.nii\.gz"):
        read_label(find_cases(root).cases[0])


def test_the_image_of_a_case_may_be_a_dicom_series_beside_its_masks(tmp_path, write_mask, write_series):
    for name in ("s1", "s2"):
        write_series(tmp_path / name, f"patient of {name}")
        write_mask(tmp_path / name / "segmentations" / "liver.nii.gz")
    listing = find_cases(tmp_path)
    assert [(case.id, case.group) for case in listing.cases] == [
        (s, hash_patient(f"patient of {s}")) for s in ("s1", "s2")
    ]
    assert listing.cases[0].images == (tmp_path / "s1",)
    assert read_image(listing.cases[0], 1).shape == (5, 6, 4)
    assert len(listing.cases[0].all_files) == 5


@pytest.mark.parametrize(
    ("image", "twin"),
    [
        ("ct", "s1/ct.nii"),
        ("ct", "s1/s1_ct.nii.gz"),
        ("ct", "s1/CT.nii.gz"),
        ("ct", "s1/segmentations/liver.nii"),
        ("ct", "s1/segmentations/Liver.nii.gz"),
    ],
)
def test_f31_images_and_masks_of_one_name_are_refused(tmp_path, write_mask, image, twin):
    write_case(tmp_path, "s1", write_mask, images=(image,))
    write_mask(tmp_path / twin)
    with pytest.raises(DataError, match=f"{twin.rpartition('/')[2]}.*rename or remove one of each"):
        find_cases(tmp_path)


def test_f31_folders_of_masks_that_differ_by_case_alone_are_refused(tmp_path, write_mask):
    write_mask(tmp_path / "images" / "a.nii.gz")
    for name in ("a", "A"):
        write_mask(tmp_path / "labels" / name / "liver.nii.gz")
    with pytest.raises(DataError, match="A and a"):
        find_cases(tmp_path)


def test_two_folders_of_masks_in_a_case_are_refused(tmp_path, write_mask):
    write_case(tmp_path, "s1", write_mask)
    write_mask(tmp_path / "s1" / "masks" / "liver.nii.gz")
    with pytest.raises(DataError, match=r"s1: expected one folder of masks, found masks/, segmentations/"):
        find_cases(tmp_path)


def test_a_series_may_lie_in_a_folder_of_its_own(tmp_path, write_mask, write_series):
    for name in ("s1", "s2"):
        write_series(tmp_path / name / "ct", f"patient of {name}")
        write_mask(tmp_path / name / "masks" / "liver.nii.gz")
    listing = find_cases(tmp_path)
    assert (listing.layout, listing.channel_names) == ("structures", ("ct",))
    assert [(case.id, case.group) for case in listing.cases] == [
        (s, hash_patient(f"patient of {s}")) for s in ("s1", "s2")
    ]
    assert listing.cases[0].images == (tmp_path / "s1" / "ct",)


@pytest.mark.parametrize("masks", ["masks", "segmentations"])
def test_a_series_that_lies_deeper_is_named_with_what_to_do(tmp_path, write_mask, write_series, masks):
    write_series(tmp_path / "s1" / "study" / "series", "p")
    write_mask(tmp_path / "s1" / masks / "liver.nii.gz")
    with pytest.raises(DataError, match=r"found study/series/0\.dcm; move each series up"):
        find_cases(tmp_path)


def test_a_mask_called_ignore_is_refused_with_the_labels_that_work(tmp_path, write_mask):
    write_case(tmp_path, "s1", write_mask, {"ignore": (1,), "liver": (1,), "spleen": (1,)})
    with pytest.raises(DataError, match=r"one named 'ignore'.*without it: \{liver: 1, spleen: 2\}"):
        find_cases(tmp_path)
    assert find_cases(tmp_path, labels={"liver": 1, "spleen": 2}).labels.names == ("liver", "spleen")
