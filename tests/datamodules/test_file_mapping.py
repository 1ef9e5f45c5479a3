import threading

import pytest

from datamodules.file_mapping import map_files
from datamodules.formats.errors import DataError


@pytest.fixture
def files(tmp_path):
    return [tmp_path / f"{number}" for number in range(40)]


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_results_come_in_order(files, workers):
    assert map_files(lambda path: int(path.name), files, workers, "Counting") == dict(
        zip(files, range(40), strict=True)
    )


def test_results_are_handed_on_in_order_and_few_at_a_time(files):
    begun, most = [], 0
    taken = []

    def work(path):
        begun.append(path)
        return path

    def keep(path, result):
        nonlocal most
        most = max(most, len(begun) - len(taken))
        taken.append(result)

    assert map_files(work, files, 2, "Counting", keep) == {}
    assert taken == files
    assert most <= 2 * 4 + 2


def test_all_failures_are_told_in_one_error(files):
    def work(path):
        if int(path.name) % 13 == 5:
            raise DataError(path, "an even mood", "an odd one", "cheer up")

    with pytest.raises(DataError, match="3 of 40") as caught:
        map_files(work, files, 2, "Working")
    for number in (5, 18, 31):
        assert f"{files[number]}: expected an even mood" in str(caught.value)
    with pytest.raises(DataError, match="^" + str(files[5])):
        map_files(work, files[:10], 2, "Working")


def test_a_mistake_in_the_code_goes_on_up_and_leaves_no_thread(files):
    def work(path):
        raise KeyError(path.name)

    before = threading.active_count()
    with pytest.raises(KeyError, match="0"):
        map_files(work, files, 2, "Working")
    assert threading.active_count() == before
