"""Autoencoder and surrogate: buildable by construction, parity of the joined ensemble, files, small trainings."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tables import lines, table, write

import edgerl
from edgerl.tasks.latent_nas import factory
from edgerl.tasks.latent_nas.models import cross_validation, fit_surrogate, search
from edgerl.tasks.latent_nas.models.build import BuildConfig, build, build_from, decoded_buildable
from edgerl.tasks.latent_nas.models.fit_model import FitConfig, Weights, relative_error
from edgerl.tasks.latent_nas.models.fit_surrogate import SurrogateConfig
from edgerl.tasks.latent_nas.models.model import Layer, ModelConfig, nearest
from edgerl.tasks.latent_nas.models.scores import _ranks
from edgerl.tasks.latent_nas.models.surrogate import BLOCK_FEATURES, FEATURES, OUTPUTS, Member, predict, side_by_side
from edgerl.tasks.latent_nas.table import space

SMALL = BuildConfig(
    autoencoder=ModelConfig(encoder=(64,), decoder=(32,)),
    fit=FitConfig(steps=300, batch=64),
    surrogate=SurrogateConfig(members=2, selecting=200, refining=50),
)


def samples(seed):
    return np.asarray(jax.jit(jax.vmap(space.sample))(jax.random.split(jax.random.key(seed), 2000)))


@pytest.fixture(scope="module")
def shipped():
    return factory.load_models()


@pytest.fixture(scope="module")
def built():
    return build_from(table(300), SMALL)


def test_shipped_models_keep_what_was_measured(shipped):
    """Of the table's 240 held-out rows, as written when they were trained; the table is not here."""
    surrogate, autoencoder = shipped.provenance["surrogate"], shipped.provenance["autoencoder"]
    assert shipped.provenance["rows"] == {"training": 960, "held out": 240}
    assert surrogate["rmse"] <= 0.0492
    assert surrogate["r2"] >= 0.741
    assert surrogate["spearman"] >= 0.68
    assert autoencoder["depth_exact"] >= 0.98
    assert autoencoder["error_over_column_means"] <= 0.4
    assert autoencoder["prediction_survives"] >= 0.9
    assert autoencoder["codes_used"] >= 0.9
    assert "Apache" in shipped.provenance["citation"]


def test_every_latent_can_be_built(shipped):
    assert decoded_buildable(shipped.autoencoder, seed=5, count=20_000) == 1
    extreme = jnp.asarray([np.full(8, x, np.float32) for x in (np.nan, np.inf, -np.inf, 1e30, -1e30, 0)])
    assert space.buildable(np.asarray(jax.jit(jax.vmap(shipped.autoencoder.decode))(extreme))).all()


def test_the_shipped_latent_carries_architectures(shipped):
    genes = samples(3)
    latent = jax.jit(jax.vmap(shipped.autoencoder.encode))(genes)
    made = np.asarray(jax.jit(jax.vmap(shipped.autoencoder.decode))(latent))
    assert (made[:, 1] == genes[:, 1]).mean() > 0.98
    assert relative_error(made, genes) < 0.3
    assert relative_error(np.broadcast_to(genes.mean(0), genes.shape), genes) == pytest.approx(1)
    np.testing.assert_allclose(latent.mean(0), 0, atol=0.1)
    np.testing.assert_allclose(latent.std(0), 1, atol=0.1)
    assert len(np.unique(np.asarray(nearest(shipped.autoencoder.codebook, latent)) * 8 + np.arange(8))) == 112


def test_the_shipped_surrogate_knows_what_matters(shipped):
    genes = samples(4)
    made = predict(shipped.surrogate, genes)
    np.testing.assert_array_equal(made.accuracy > 0.85, space.in_high_group(genes))
    assert (made.uncertainty > made.ignorance).all()
    assert (made.ignorance >= 0).all()


def test_a_small_training_learns(built):
    assert built.provenance["surrogate"]["r2"] > 0.5
    assert 0.8 <= built.provenance["surrogate"]["coverage_of_90_percent_interval"] <= 1
    assert built.provenance["autoencoder"]["error_over_column_means"] < 0.6
    assert built.provenance["autoencoder"]["random_latents_buildable"] == 1


def test_the_same_seed_gives_the_same_bits(built):
    again = build_from(table(300), SMALL)
    for a, b in zip(*(jax.tree.leaves((m.autoencoder, m.surrogate)) for m in (built, again)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_settings_side_by_side_on_the_origins_variant(built):
    """One code for the whole latent, as many architectures as codes: what was wrong with it shows in every setting."""
    found = search.search(table(300), built.surrogate, 3, FitConfig(50, 32), ModelConfig((16,), (16,), "label"), seed=0)
    assert sorted(row["setting"] for row in found) == [0, 1, 2]
    errors = [row["error_over_column_means"] for row in found]
    assert errors == sorted(errors)
    assert len(set(errors)) == 3
    assert errors[0] > 0.4
    default = next(row for row in found if row["setting"] == 0)
    assert default["learning_rate"] == pytest.approx(Weights().learning_rate)


def test_cross_validation_leaves_out_what_it_judges():
    """Accuracies that are pure noise cannot be foretold, however often the same rows are fitted to."""
    rows = table(100)
    noise = dataclasses.replace(rows, targets=np.random.default_rng(0).uniform(0.6, 0.9, rows.targets.shape))
    config = SurrogateConfig(selecting=150, refining=20, sparsity=0, group_sparsity=0)
    assert cross_validation.cross_validate(noise, config, 0)["r2"] < 0
    assert cross_validation.cross_validate(rows, config, 0)["r2"] > 0.3


def test_joined_members_answer_as_the_members_do():
    """Also where features and units are left out that no member uses."""
    rng = np.random.default_rng(0)
    shapes = ((4, BLOCK_FEATURES), (4,), (5, 4 + FEATURES), (5,), (OUTPUTS, 5), (OUTPUTS,))
    members = Member(*(rng.normal(size=(3, *shape)).astype(np.float32) for shape in shapes))
    members.block_kernel[:, :, [2, 7]] = 0
    members.kernel[:, :, [1, 5]] = 0
    joined = side_by_side(members, 1.5)
    assert set(range(BLOCK_FEATURES)) - set(joined.block_features) == {2, 7}
    assert set(range(FEATURES)) - set(joined.whole_features) == {1}
    assert len(joined.network.block_kernel) == 3 * 3
    genes = table(20).genes
    seen = jax.jit(jax.vmap(fit_surrogate.inputs))(genes)
    out = np.asarray(jax.jit(jax.vmap(lambda m: jax.vmap(m)(*seen)))(members))
    made = predict(joined, genes)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4)
    close(made.accuracy, out[..., 0].mean(0))
    close(made.avm, out[..., 2].mean(0))
    close(made.ignorance, out[..., 0].std(0))
    total = np.sqrt(out[..., 0].var(0) + np.exp(2 * out[..., 3]).mean(0))
    close(made.uncertainty, total)
    low, high = joined.interval(made)
    close(high - low, 3 * total)


def test_ranks_with_ties():
    assert _ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1, 3.5, 2]


def test_files(built, tmp_path):
    factory.save_models(tmp_path / "models.npz", built)
    again = factory.load_models(tmp_path / "models.npz")
    assert again.provenance == built.provenance
    assert again.surrogate.block_features == built.surrogate.block_features
    for a, b in zip(*(jax.tree.leaves((m.autoencoder, m.surrogate)) for m in (built, again)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_files_that_do_not_fit(built, tmp_path):
    path = tmp_path / "models.npz"
    with pytest.raises(edgerl.UserError, match="does not exist"):
        factory.load_models(path)
    np.savez(path, logits=np.zeros(3))
    with pytest.raises(edgerl.UserError, match=r"models\.npz holds no models"):
        factory.load_models(path)
    wrong = Layer(np.zeros((3, 3), np.float32), np.zeros(3, np.float32))
    broken = dataclasses.replace(built, autoencoder=built.autoencoder.replace(decoder=(wrong,)))
    factory.save_models(path, broken)
    with pytest.raises(edgerl.UserError, match="do not fit"):
        factory.load_models(path)
    nan = built.autoencoder.replace(codebook=np.full((14, 8), np.nan, np.float32))
    factory.save_models(path, dataclasses.replace(built, autoencoder=nan))
    with pytest.raises(edgerl.UserError, match="not finite"):
        factory.load_models(path)


def test_a_table_that_is_too_small(tmp_path):
    with pytest.raises(edgerl.UserError, match="60 rows"):
        build(write(tmp_path / "t.csv", lines(table(60))), SMALL)
