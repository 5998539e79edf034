"""A front of policies at a budget: the mean of those nearest, shifted."""

import numpy as np
from synthetic import synthetic_table

from edgerl.tasks.early_exit.evaluation.budgets import Front
from edgerl.tasks.early_exit.evaluation.evaluate import load_images
from edgerl.tasks.early_exit.evaluation.stopping import chosen
from edgerl.tasks.hardware.profiles import load_profile


def test_what_earns_most_at_a_price():
    table, profile = synthetic_table(200), load_profile("medium_power")
    fit = load_images(table, "policy", profile, ())
    exits = fit.correct.shape[1]
    leads = [np.where(np.arange(exits) == k, 1.0, -1.0) for k in range(exits)]  # stops at exit k
    scores = np.broadcast_to(np.array(leads)[:, None], (exits, *fit.correct.shape))
    front = Front(scores, scores, fit)
    accuracy = fit.correct.mean(0)
    assert front.best_at(0.0) == accuracy.argmax()
    assert front.best_at(100.0) == 0
    share = fit.costs["macs"] / fit.costs["macs"][-1]
    assert front.best_at(0.2) == (accuracy - 0.2 * share).argmax()


def test_the_mean_of_noisy_policies_spends_the_budget_and_is_right_more_often_than_one():
    table, profile = synthetic_table(2000), load_profile("medium_power")
    fit, test = (load_images(table, split, profile, ()) for split in ("policy", "test"))
    rng = np.random.default_rng(0)

    def scores(images, biases):
        lead = images.features.confidence - images.features.confidence.mean()
        return np.stack([lead + bias + 0.3 * rng.normal(size=lead.shape) for bias in biases]).astype(np.float32)

    def right(count, budget):
        biases = np.linspace(-0.2, 0.2, count)
        stopped = Front(scores(fit, biases), scores(test, biases), fit).solve(budget)
        cost = fit.costs["macs"]
        spent = cost[stopped[0]].mean()
        assert 0.995 * budget < spent <= budget
        return chosen(test.correct, stopped[1]).mean()

    budget = 0.5 * fit.costs["macs"][[0, -1]].sum()
    assert right(64, budget) > right(8, budget) + 0.01  # an eighth of them: the mean of 8, and one
