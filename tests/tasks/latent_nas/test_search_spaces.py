"""The contract of search spaces, kept by all that ship."""

import cells as made_up
import numpy as np
import pytest
from tables import lines, table, write

from edgerl import UserError
from edgerl.tasks.latent_nas.spaces import SPACES, space_of


@pytest.mark.parametrize("name", SPACES)
def test_genes_constraints_and_counts(name):
    space = space_of(name)
    assert space.name == name
    assert len(space.genes) == len(set(space.genes)) == len(space.low) == len(space.high)
    drawn = space.sample(np.random.default_rng(0), 500)
    assert drawn.shape == (500, len(space.genes))
    assert np.asarray(space.buildable(drawn)).all()
    assert (drawn <= space.high).all()
    counts = np.asarray(space.parameter_count(drawn.astype(np.int64)))
    assert counts.min() > 0
    assert len(np.unique(counts)) > 10
    broken = drawn.copy()
    broken[:, 0] = space.high[0] + 1
    assert not np.asarray(space.buildable(broken)).any()
    described = space.describe(drawn[0])
    assert {gene: described[gene] for gene in space.genes}.keys() == set(space.genes)
    assert space.judged_by


@pytest.mark.parametrize("name", SPACES)
def test_tables(name, tmp_path):
    space, path = space_of(name), tmp_path / "table.csv"
    if name == "analognas":
        write(path, lines(table(120)))
        assert len(space.read(path)) == 120
    else:
        made_up.write(path)
        assert space.read(path).cells.shape == (15625, 6)
    with pytest.raises(UserError, match="cannot read"):
        space.read(tmp_path / "none.csv")
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="column"):
        space.read(other)
