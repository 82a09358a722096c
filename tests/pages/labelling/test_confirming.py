from core.labelling.spreading import LIKELY, spread
from pages.components.labelling.confirming import proposals
from tests.core.labelling.conftest import heap, labelled


def test_likely_photos_are_proposed_class_by_class_but_for_strangers_and_refused_ones() -> None:
    pool, true = heap(40, 40)
    labels = labelled(true, [0, 1, 2, 40, 41, 42])
    found = spread(pool, labels)
    proposed = proposals(pool, labels, found, frozenset())
    assert all((true[each] == number).mean() > 0.9 for number, each in enumerate(proposed))
    for each in proposed:
        assert not set(each) & set(labels.labelled.tolist()) and not found.strangers[each].any()
        assert (found.probabilities[each].max(axis=1) > LIKELY).all()
        assert found.certainty[each].tolist() == sorted(found.certainty[each].tolist(), reverse=True)
    first = proposed[0][0]
    refused = frozenset({(pool.paths[first], labels.classes[0])})
    assert proposals(pool, labels, found, refused)[0] == proposed[0][1:]
