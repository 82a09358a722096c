from pathlib import Path

import numpy as np
import pytest

from core.errors import RunError, RunNotReady
from core.runs.embeddings import Embeddings, read_embeddings, write_embeddings
from core.runs.store import Run


def some(count: int = 4) -> Embeddings:
    random = np.random.default_rng(0)
    paths = tuple(f"äpfel/{number}\n'ʒ'.jpg" for number in range(count))
    probabilities = random.dirichlet([1, 1, 1], count).astype(np.float32)
    labels, parts = np.arange(count, dtype=np.int32) % 3, np.arange(count, dtype=np.int8) % 2
    return Embeddings(paths, labels, parts, random.normal(size=(count, 6)).astype(np.float32), probabilities)


@pytest.mark.parametrize("count", [0, 4])
def test_what_is_written_is_read(tmp_path: Path, count: int) -> None:
    written = some(count)
    write_embeddings(Run(tmp_path), written)
    read = read_embeddings(Run(tmp_path))
    assert read.paths == written.paths
    for name in ("labels", "parts", "embedding", "probabilities"):
        assert getattr(read, name).dtype == getattr(written, name).dtype
        np.testing.assert_allclose(getattr(read, name), getattr(written, name), rtol=1e-3, atol=1e-4)


def test_parts_can_be_looked_at_alone() -> None:
    whole = some()
    odd = whole.of(1)
    assert odd.paths == (whole.paths[1], whole.paths[3]) and odd.parts.tolist() == [1, 1]
    np.testing.assert_array_equal(odd.embedding, whole.embedding[[1, 3]])


def test_shapes_that_do_not_fit_are_refused() -> None:
    whole = some()
    with pytest.raises(ValueError, match="do not fit"):
        Embeddings(whole.paths[:2], whole.labels, whole.parts, whole.embedding, whole.probabilities)


def test_nothing_kept_and_something_broken_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(RunNotReady, match="no embeddings"):
        read_embeddings(Run(tmp_path))
    Run(tmp_path).embeddings_file.write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(RunError, match="cannot be read"):
        read_embeddings(Run(tmp_path))
