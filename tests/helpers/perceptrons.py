"""Int8 multilayer perceptrons of given integers, and their C."""

import itertools
from typing import NamedTuple

import numpy as np

from benchmarks.equality import deployed
from edgerl.deploy import c_source, int8_policy, perceptron
from edgerl.deploy.graph import Builder, Graph
from edgerl.deploy.tensor import Quantisation


class Layer(NamedTuple):
    """Weights int8 [out, in], bias int32 [out], scales float32 [1] or [out], the dense output's quantisation."""

    weights: np.ndarray
    bias: np.ndarray
    scales: np.ndarray
    output: Quantisation
    activation: str = "none"


def network(read: Quantisation, *layers: Layer) -> Graph:
    """The network of some layers whose input has the quantisation `read`."""
    builder, at = Builder(layers[0].weights.shape[1:], read), 0
    for layer in layers:
        fields = {"weights": layer.weights, "bias": layer.bias, "weight_scales": layer.scales}
        at = perceptron.append(builder, at, layer.activation, layer.output, **fields)
    return builder.graph()


def layers_of(sizes, activation, seed=0, per_channel=False):
    """Random layers of these sizes."""
    rng = np.random.default_rng(seed)
    layers = []
    for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        kind = "none" if i + 2 == len(sizes) else activation
        weights = rng.integers(-127, 128, (outputs, inputs)).astype(np.int8)
        bias = rng.integers(-3000, 3000, outputs).astype(np.int32)
        scales = np.full(outputs if per_channel else 1, 0.004, np.float32)
        zero = -128 if kind in ("relu", "relu6") else 3
        layers.append(Layer(weights, bias, scales, Quantisation(np.float32(0.05), zero), kind))
    return layers


def policy_of(sizes, activation, argmax="outputs", per_channel=False):
    """A policy of random layers, which reads observations of -128 to 127 as they are."""
    made = network(Quantisation(np.float32(1 / 128), 0), *layers_of(sizes, activation, per_channel=per_channel))
    return deployed(made, argmax)


def write(folder, policy, count=6):
    """Writes policy.h and policy.c with `count` test vectors; returns their observations, float32 [count, features]."""
    features = policy.sizes[0]
    observations = np.random.default_rng(0).normal(scale=40, size=(count, features)).astype(np.float32)
    _, scores = int8_policy.evaluate(policy.policy, observations)
    vectors = c_source.TestVectors(observations, scores, scores.argmax(axis=1))
    folder.mkdir(exist_ok=True)
    for name, text in c_source.generate(policy, c_source.Origin("0" * 64), vectors).items():
        (folder / name).write_text(text)
    return observations
