from core.labelling.rounds import next_round
from core.labelling.selection import ROUND
from tests.core.labelling.conftest import heap, labelled


def test_a_round_judges_what_is_labelled_and_asks_for_more() -> None:
    pool, true = heap(40, 40)
    first = next_round(pool, labelled(true, []))
    assert (len(first.paths), first.labelled, first.judged, first.curve) == (ROUND, 0, None, None)
    positions = [pool.paths.index(path) for path in first.paths]
    second = next_round(pool, labelled(true, positions))
    assert second.labelled == ROUND and second.judged is not None and second.curve is None
    assert not set(first.paths) & set(second.paths)
    more = [*positions, *(pool.paths.index(path) for path in second.paths)]
    third = next_round(pool, labelled(true, more))
    assert third.curve is not None and third.curve.expected_count == 4 * ROUND


def test_confirmed_labels_teach_but_nothing_is_judged_by_them() -> None:
    pool, true = heap(40, 40)
    labels = labelled(true, range(0, 80, 2))
    labels.confirmed[20:] = labels.values[20:] >= 0
    judged = next_round(pool, labels).judged
    assert judged is not None and len(judged.right) == 10


def test_what_was_passed_over_is_not_asked_about_again_as_long_as_that_holds() -> None:
    pool, true = heap(8, 8)
    first = next_round(pool, labelled(true, []), count=16)
    passed = first.paths[:10]
    second = next_round(pool, labelled(true, []), passed, count=16)
    assert set(second.paths) == set(first.paths) - set(passed)
    assert next_round(pool, labelled(true, []), first.paths).paths == ()
