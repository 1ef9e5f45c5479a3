from datamodules.integrity.twins import doubled_images, doubled_labels, parted_patients


def cases(make_facts, **changes):
    return [make_facts(case, **change) for case, change in changes.items()]


def test_f17_the_same_voxels_twice_are_an_error(make_facts):
    facts = cases(make_facts, a={"voxels": "x"}, b={}, c={"voxels": "x"}, d={"voxels": "x"})
    (finding,) = doubled_images(facts, {})
    assert (finding.code, finding.severity, finding.cases) == ("duplicate-image", "error", ("a", "c", "d"))


def test_f17_test_images_are_compared_with_training_and_each_other(make_facts):
    tests = {"Ts/x": "voxels of a", "Ts/y": "other", "Ts/z": "other"}
    findings = doubled_images(cases(make_facts, a={}, b={}), tests)
    assert [(f.code, f.severity, f.cases) for f in findings] == [
        ("duplicate-test-image", "warning", ("a",)),
        ("duplicate-test-image", "warning", ()),
    ]
    assert "Ts/y and Ts/z" in findings[1].message


def test_equal_labels_are_told_unless_empty_or_of_the_same_image(make_facts):
    facts = cases(
        make_facts, a={"label_voxels": "l"}, b={"label_voxels": "l"}, c={"label_voxels": ""}, d={"label_voxels": ""}
    )
    (finding,) = doubled_labels(facts)
    assert (finding.code, finding.severity, finding.cases) == ("duplicate-label", "warning", ("a", "b"))
    same = {"label_voxels": "l", "voxels": "x"}
    assert doubled_labels(cases(make_facts, a=same, b=same)) == []


def test_f17_a_patient_in_two_groups(make_facts):
    facts = cases(make_facts, a={"patient": "1"}, b={"patient": "1"}, c={"patient": "2"})
    (finding,) = parted_patients(facts, {"a": "a", "b": "b", "c": "c"})
    assert (finding.code, finding.cases) == ("patient-in-groups", ("a", "b"))
    assert parted_patients(facts, {"a": "p", "b": "p", "c": "c"}) == []
