import numpy as np
import pytest

from datamodules.integrity.facts import ChannelFacts, StructureFacts, load_facts, save_facts

CHANNEL = ChannelFacts(-1.5, 2.5, 0.1, 1 / 3, 0, np.arange(64), "hash", 0.25, 1, True)


@pytest.mark.parametrize("samples", [np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((2, 0), np.float32)])
def test_facts_come_back_under_the_name_asked_for(tmp_path, make_facts, samples):
    facts = make_facts(
        "a",
        samples=samples,
        limits=((-1.5, 2.5), (0.0, 1.0)),
        channels=(CHANNEL, CHANNEL),
        structures={
            "Zoë": StructureFacts(5, 2, 4, 1, ((0, 2), (1, 3), (0, 1))),
            "left": StructureFacts(0, 0, 0, 0, None),
        },
        adjacency=(("Zoë", "left"),),
        warnings=(("doubtful-geometry", "forms differ"),),
        patient="0123",
    )
    save_facts(tmp_path / "f.npz", facts)
    loaded = load_facts(tmp_path / "f.npz", "b")
    arrays = ("affine", "samples", "thumbnail", "thumbnail_labels")
    for name in arrays:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(facts, name))
        assert getattr(loaded, name).dtype == getattr(facts, name).dtype
    kept = {key: value for key, value in vars(facts).items() if key not in (*arrays, "channels", "case_id")}
    assert {key: vars(loaded)[key] for key in kept} == kept
    assert loaded.case_id == "b"
    for channel in loaded.channels:
        np.testing.assert_array_equal(channel.histogram, CHANNEL.histogram)
        assert vars(channel) | {"histogram": None} == vars(CHANNEL) | {"histogram": None}
    assert [path.name for path in tmp_path.iterdir()] == ["f.npz"]


def test_samples_are_left_out_where_they_are_not_asked_for(tmp_path, make_facts):
    save_facts(tmp_path / "f.npz", make_facts(samples=np.ones((1, 9000), np.float32)))
    assert load_facts(tmp_path / "f.npz", "a", samples=False).samples.shape == (1, 0)


def test_counts_and_volumes_follow_from_the_structures(make_facts):
    facts = make_facts(counts={"left": 3, "right": 0})
    assert facts.voxel_counts == {"left": 3, "right": 0}
    assert facts.volume_mm3 == {"left": 6.0, "right": 0.0}
