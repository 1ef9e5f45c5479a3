import pytest

from datamodules.augmentation import Augmentation
from pipeline.planning.augmenting import choose_augmentation
from pipeline.planning.grid_choice import choose_grid
from pipeline.planning.noted import plain

RIGHT, LEFT = ((5, 15), (20, 30), (10, 20)), ((30, 40), (20, 30), (10, 20))
FRONT, BACK = ((10, 20), (30, 40), (10, 20)), ((10, 20), (10, 20), (10, 20))


def chosen(facts, make_fingerprint, suffix=".nii.gz"):
    fingerprint = make_fingerprint(facts, suffix=suffix)
    cases = {each.case_id: each for each in facts}
    grid = choose_grid(fingerprint, facts, ["ct"])
    found = choose_augmentation(fingerprint, cases, list(fingerprint.structures), grid)
    Augmentation(**plain(found))  # what is chosen is taken
    return found


def test_named_sides_are_not_mirrored(make_facts, make_fingerprint):
    boxes = {"left kidney": LEFT, "right kidney": RIGHT}
    found = chosen([make_facts(str(n), boxes=boxes) for n in range(3)], make_fingerprint)
    assert found["mirror_axes"].value == []
    assert "left kidney" in found["mirror_axes"].reason


def test_sides_without_names_are_told_by_where_they_lie(make_facts, make_fingerprint):
    boxes = {"value_1": LEFT, "value_2": RIGHT}
    found = chosen([make_facts(str(n), boxes=boxes) for n in range(5)], make_fingerprint)
    assert found["mirror_axes"].value == []
    assert "value_1 and value_2" in found["mirror_axes"].reason


def test_structures_one_behind_the_other_are_no_sides(make_facts, make_fingerprint):
    boxes = {"anterior": FRONT, "posterior": BACK}
    found = chosen([make_facts(str(n), boxes=boxes) for n in range(5)], make_fingerprint)
    assert found["mirror_axes"].value == [0]


def test_structures_of_different_size_are_no_sides(make_facts, make_fingerprint):
    boxes = {"liver": ((25, 45), (10, 40), (5, 25)), "spleen": RIGHT}
    found = chosen([make_facts(str(n), boxes=boxes) for n in range(5)], make_fingerprint)
    assert found["mirror_axes"].value == [0]


def test_sides_that_change_places_from_case_to_case_are_none(make_facts, make_fingerprint):
    orders = [{"a": LEFT, "b": RIGHT}, {"a": RIGHT, "b": LEFT}]
    found = chosen([make_facts(str(n), boxes=orders[n % 2]) for n in range(6)], make_fingerprint)
    assert found["mirror_axes"].value == [0]


def test_a_structure_has_one_partner_at_most_and_few_are_named(make_facts, make_fingerprint):
    left = {f"l{n}": ((30, 40), (20, 30), (10, 20)) for n in range(6)}
    right = {f"r{n}": ((5, 15), (20, 30), (10, 20)) for n in range(6)}
    reason = chosen([make_facts(str(n), boxes=left | right) for n in range(3)], make_fingerprint)["mirror_axes"].reason
    assert reason.startswith("l0 and r0, l1 and r1, l2 and r2 and 3 more pairs lie")


def test_pictures_are_turned_and_mirrored_at_will(make_facts, make_fingerprint):
    facts = [make_facts(str(n), shape=(64, 64, 1), boxes={"cell": ((5, 9), (5, 9), (0, 1))}) for n in range(3)]
    found = chosen(facts, make_fingerprint, suffix=".png")
    assert found["mirror_axes"].value == [0, 1]
    assert found["rotation_degrees"].value == 180


@pytest.mark.parametrize(
    ("shape", "spacing", "degrees"),
    [((40, 50, 30), (1, 1, 1), 30), ((200, 200, 30), (1, 1, 5), 10), ((1, 60, 60), (1, 1, 1), 0)],
)
def test_thick_slices_are_turned_less(shape, spacing, degrees, make_facts, make_fingerprint):
    facts = [make_facts(str(n), shape=shape, spacing_mm=spacing, boxes={}) for n in range(3)]
    assert chosen(facts, make_fingerprint)["rotation_degrees"].value == degrees
