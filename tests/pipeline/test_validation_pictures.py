from pipeline.evaluation import StructureScore
from pipeline.validation_pictures import choose_cases


def row(case, dice):
    return StructureScore(case, "organ", "found", dice, 0.5, 1.0, 0.5, 1.0, 0.0, 0.0, 1.0, 0.1)


def test_three_best_three_median_and_three_worst_of_many_cases():
    rows = [row(f"case_{n:02d}", 1 - n / 100) for n in range(20)]
    chosen = choose_cases(rows)
    by_rank = {rank: case for case, rank in chosen.items()}
    assert [by_rank[f"best-{n}"] for n in (1, 2, 3)] == ["case_00", "case_01", "case_02"]
    assert [by_rank[f"worst-{n}"] for n in (1, 2, 3)] == ["case_19", "case_18", "case_17"]
    assert {by_rank[f"median-{n}"] for n in (1, 2, 3)} <= {"case_08", "case_09", "case_10", "case_11"}


def test_every_case_once_where_there_are_few():
    chosen = choose_cases([row("good", 0.9), row("bad", 0.1)])
    assert chosen == {"good": "best-1", "bad": "worst-1"}


def test_a_case_without_any_structure_still_has_a_rank():
    assert set(choose_cases([row("empty", None), row("scored", 0.5)])) == {"empty", "scored"}
