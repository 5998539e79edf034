"""Which layers a state dictionary has, and in which order they stand."""

import foreign
import numpy as np
import pytest

from edgerl import UserError
from edgerl.tasks.imports import networks


def found(tensors, features=4, outputs=2, prefix=""):
    layers, others = networks.layers(tensors, features, outputs, prefix, "it")
    return [layer.name for layer in layers], others


def torch(*names, sizes=(4, 8, 8, 2)):
    return foreign.network(sizes, names)


def flax(*names, sizes=(4, 8, 8, 2)):
    shapes = zip(names, sizes[:-1], sizes[1:], strict=True)
    return {f"{n}/{k}": np.ones(s) for n, a, b in shapes for k, s in (("kernel", (a, b)), ("bias", (b,)))}


def shuffled(tensors):
    names = list(tensors)
    return {names[i]: tensors[names[i]] for i in np.random.default_rng(1).permutation(len(names))}


@pytest.mark.parametrize(
    "tensors",
    [
        torch("0", "2", "4"),
        torch("net.2", "net.9", "net.10"),
        torch("layers.0.linear", "layers.1.linear", "layers.2.linear"),
        torch("fc1", "fc2", "out"),
        torch("b", "a", sizes=(4, 8, 2)),
        torch("body.0", "body.2", "head"),
        flax("Dense_0", "Dense_1", "Dense_2"),
        flax("params/Dense_9", "params/Dense_10", "params/Dense_11"),
        flax("params/a", "params/b", sizes=(4, 8, 2)),
        torch("only", sizes=(4, 2)),
    ],
    ids=lambda tensors: next(iter(tensors)),
)
def test_numbers_and_shapes_tell_the_order(tensors):
    wanted = list(dict.fromkeys(name.rpartition("/" if "/" in name else ".")[0] for name in tensors))
    assert found(shuffled(tensors)) == (wanted, [])


def test_the_layers_are_the_tensors():
    tensors = torch("0", "2", "4")
    layers, _ = networks.layers(tensors, 4, 2, "", "it")
    for layer in layers:
        np.testing.assert_array_equal(layer.kernel, tensors[f"{layer.name}.weight"].T)
        np.testing.assert_array_equal(layer.bias, tensors[f"{layer.name}.bias"])


def test_a_layer_may_have_no_bias_and_no_name():
    layers, _ = networks.layers({"weight": np.ones((2, 4))}, 4, 2, "", "it")
    np.testing.assert_array_equal(layers[0].bias, np.zeros(2))
    assert networks.layers({"weight": np.ones((2, 4)), "bias": np.ones(2)}, 4, 2, "", "it")[0][0].bias[0] == 1


def test_the_network_that_fits_is_told_from_a_critic():
    tensors = torch("actor.0", "actor.2", "actor.4") | torch("critic.0", "critic.2", "critic.4", sizes=(4, 8, 8, 1))
    assert found(tensors) == (["actor.0", "actor.2", "actor.4"], ["critic.0", "critic.2", "critic.4"])
    deeper = {f"params/{name.replace('.', '/')}": value for name, value in tensors.items()}
    assert found(deeper)[0] == ["params/actor/0", "params/actor/2", "params/actor/4"]
    assert found(tensors, prefix="actor.")[1] == []


def test_a_deviation_is_no_layer():
    tensors = torch("actor_mean.0", "actor_mean.2", sizes=(4, 8, 2)) | {"actor_logstd": np.zeros((1, 2))}
    assert found(tensors)[0] == ["actor_mean.0", "actor_mean.2"]


SIGNALLING = np.full((2, 4), 0x7F800001, np.uint32).view(np.float32)  # NaN that warns when it is converted
GRU = {
    f"gru.{kind}_{of}_l0": np.ones((24, n)[: 1 + (kind == "weight")])
    for of, n in (("ih", 4), ("hh", 8))
    for kind in ("weight", "bias")
}
TWO = torch("actor.0", "actor.2", sizes=(4, 8, 1)) | torch("critic.0", "critic.2", sizes=(4, 8, 1))


@pytest.mark.parametrize(
    ("tensors", "options", "said"),
    [
        ({}, {}, "it has no tensor whose name begins with '': it is empty"),
        (TWO, {"outputs": 1}, "more than one network leads from 4 features to 1 outputs: --prefix says which, actor"),
        (TWO, {}, r"no order of its layers leads from 4 features to 2 outputs: actor\.0 \[4, 8\]"),
        (TWO, {"prefix": "policy"}, r"no tensor whose name begins with 'policy': it has actor\.0\.weight"),
        (torch("a", "b", "c", "d", sizes=(4, 8, 8, 8, 2)), {}, "more than one order of its layers"),
        (torch("0", "2", "4"), {"features": 3}, "no order of its layers"),
        (torch("0", "2", "4") | {"norm.scale": np.ones(3)}, {}, "norm.scale is neither weight, kernel nor bias"),
        (torch("0", "2", "4") | {"7.bias": np.ones(3)}, {}, "7.bias is neither weight"),
        ({"conv.weight": np.ones((4, 2, 3, 3))}, {}, r"conv\.weight has shape \[4, 2, 3, 3\]; only dense layers"),
        ({"a.weight": np.ones((0, 4))}, {}, "only dense layers"),
        ({"a.weight": np.ones((2, 4)), "a.bias": np.ones(3)}, {}, r"a\.weight makes 2 numbers, but a\.bias has shape"),
        ({"a.weight": np.full((2, 4), np.nan)}, {}, r"a\.weight holds NaN or infinite numbers"),
        ({"a.weight": np.ones((2, 4)), "a.bias": np.array([0, np.inf])}, {}, r"a\.bias holds NaN or infinite"),
        ({"a.weight": SIGNALLING}, {}, r"a\.weight holds NaN or infinite numbers"),
        ({"a.weight": np.ones((2, 4), int)}, {}, r"a\.weight holds int64, expected floating-point numbers"),
        (GRU, {}, r"gru\.weight_hh_l0 is of a recurrent network, and those are not read: in a GRU of PyTorch or Flax"),
        (
            {"cell.weight_ih": np.ones((24, 4)), "cell.weight_hh": np.ones((24, 8))},
            {},
            r"cell\.weight_hh is of a recurrent",
        ),
        (
            flax("params/GRUCell_0/ir", "params/GRUCell_0/hr", sizes=(4, 8, 8)),
            {},
            "hr/kernel is of a recurrent network",
        ),
        ({f"{i}.weight": np.ones((4, 4)) for i in range(13)}, {}, "has 13 dense layers; expected 1 to 12"),
        ({f"{c}.weight": np.ones((4, 4)) for c in "abcdefghijkl"}, {}, "no order of its layers"),
    ],
)
def test_what_is_not_clear_is_refused(tensors, options, said):
    with pytest.raises(UserError, match=said):
        found(tensors, **options)
