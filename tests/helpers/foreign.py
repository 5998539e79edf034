"""Files as PyTorch and Stable-Baselines3 write them, without either: Python's own pickle does it, of stand-ins that
bear the names of their classes."""

import base64
import collections
import io
import json
import pickle
import struct
import sys
import types
import zipfile
from unittest import mock

import gymnasium
import numpy as np

ACTOR_CRITIC = "stable_baselines3.common.policies.ActorCriticPolicy"
DQN = "stable_baselines3.dqn.policies.DQNPolicy"
STORAGES = {"f8": "Double", "f4": "Float", "f2": "Half", "i8": "Long", "i4": "Int", "u1": "Byte", "b1": "Bool"}


class Names:
    """Classes by the path under which a pickle shall name them."""

    def __init__(self):
        self._made = {}

    def __getitem__(self, path):
        module, _, name = path.rpartition(".")
        return self._made.setdefault(path, type(name, (), {"__module__": module}))

    def modules(self):
        """Those that have them, and the packages that these are in."""
        found = {}
        for path, made in self._made.items():
            module, _, name = path.rpartition(".")
            for end in (i for i, mark in enumerate(f"{module}.") if mark == "."):
                found.setdefault(module[:end], types.ModuleType(module[:end]))
            setattr(found[module], name, made)
        return found


class Storage:
    """The numbers of a tensor, or of several."""

    def __init__(self, values, key, kind=None, count=None):
        self.values, self.key = values, key
        self.kind = kind or f"torch.{STORAGES[values.dtype.str[1:]]}Storage"
        self.count = values.size if count is None else count


class Tensor:
    """What PyTorch pickles as a call of `_rebuild_tensor_v2`."""

    def __init__(self, storage, shape, strides, offset=0, names=None):
        self.parts, self.names = (storage, offset, tuple(shape), tuple(strides)), names

    def __reduce_ex__(self, protocol):
        return self.names["torch._utils._rebuild_tensor_v2"], (*self.parts, False, collections.OrderedDict())


class _Pickler(pickle.Pickler):
    def __init__(self, file, protocol, names):
        super().__init__(file, protocol)
        self.names = names

    def persistent_id(self, value):
        if isinstance(value, Storage):
            return "storage", self.names[value.kind], value.key, "cpu", value.count
        return None


def pickled(value, names=None, protocol=4):
    """The bytes of a pickle in which the names' classes are called as they say."""
    names = Names() if names is None else names
    made = io.BytesIO()
    with mock.patch.dict(sys.modules, names.modules()):
        _Pickler(made, protocol, names).dump(value)
    return made.getvalue()


def torch_file(tensors, order="little", protocol=2, folder="archive"):
    """What `torch.save` writes of a state dictionary: arrays, or `Tensor`s."""
    names, state, storages = Names(), collections.OrderedDict(), {}
    for i, (name, value) in enumerate(tensors.items()):
        if isinstance(value, np.ndarray):
            strides = [step // value.itemsize for step in np.array(value, order="C").strides]
            value = Tensor(Storage(value.ravel(), str(i)), value.shape, strides)
        value.names = names
        value.__reduce_ex__(protocol), names[value.parts[0].kind]  # makes what they are called
        storages[value.parts[0].key] = value.parts[0].values
        state[name] = value
    members = {f"{folder}/data.pkl": pickled(state, names, protocol), f"{folder}/byteorder": order.encode()}
    for key, values in storages.items():
        members[f"{folder}/data/{key}"] = values.astype(values.dtype.newbyteorder("<>"[order == "big"])).tobytes()
    return zipped(members)


def zipped(members, method=zipfile.ZIP_STORED):
    """A zip archive's bytes, the same at any time: name → bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return made.getvalue()


def serialised(value, names=None):
    """How Stable-Baselines3 puts an object into its JSON."""
    return {":type:": "<class 'object'>", ":serialized:": base64.b64encode(pickled(value, names)).decode()}


def named(path):
    """The same of a class."""
    names = Names()
    return serialised(names[path], names)


def agent_file(tensors, actions, of=ACTOR_CRITIC, options=None, version=b"2.3.2", **more):
    """A zip of Stable-Baselines3.

    Args:
      actions: the space, of Gymnasium.
      of: the policy's class.
      options: `policy_kwargs` as it stands in the JSON.
      more: other keys of the JSON.
    """
    said = {
        "policy_class": named(of),
        "policy_kwargs": {} if options is None else options,
        "action_space": serialised(actions),
        "_last_original_obs": None,
        **more,
    }
    data = json.dumps(said).encode()
    return zipped({"data": data, "policy.pth": torch_file(tensors), "_stable_baselines3_version": version})


def with_activation(name):
    """`policy_kwargs` with an activation."""
    names = Names()
    return serialised({"activation_fn": names[f"torch.nn.modules.activation.{name}"]}, names)


def network(sizes, names, seed=0, scale=1.0):
    """PyTorch's tensors float32 of dense layers: `names[i].weight` [out, in] and `names[i].bias`."""
    draw = np.random.default_rng(seed)
    found = {}
    for name, inputs, outputs in zip(names, sizes[:-1], sizes[1:], strict=True):
        found[f"{name}.weight"] = (scale * draw.normal(size=(outputs, inputs)) / inputs**0.5).astype(np.float32)
        found[f"{name}.bias"] = (0.1 * draw.normal(size=outputs)).astype(np.float32)
    return found


def actor(sizes, hidden="mlp_extractor.policy_net", last="action_net", **options):
    """The tensors of an actor-critic policy of Stable-Baselines3, with those of its critic."""
    numbers = [f"{hidden}.{2 * i}" for i in range(len(sizes) - 2)]
    found = network(sizes, [*numbers, last], **options)
    critics = [*(name.replace("policy", "value") for name in numbers), "value_net"]
    return found | network((*sizes[:-1], 1), critics, seed=9)


def q_network(sizes, **options):
    """The tensors of a DQN."""
    layers = range(len(sizes) - 1)
    found = network(sizes, [f"q_net.q_net.{2 * i}" for i in layers], **options)
    return found | network(sizes, [f"q_net_target.q_net.{2 * i}" for i in layers], seed=9)


def outputs(tensors, names, obs, activation):
    """A plain forward pass in float64: [N, outputs]."""
    x = np.asarray(obs, np.float64)
    for i, name in enumerate(names):
        x = x @ tensors[f"{name}.weight"].T.astype(np.float64) + tensors[f"{name}.bias"]
        x = activation(x) if i + 1 < len(names) else x
    return x


def normaliser_file(mean, variance, epsilon=1e-8, clip=10.0, protocol=4, **more):
    """A `vecnormalize.pkl`."""
    names = Names()
    running = _made(
        names["stable_baselines3.common.running_mean_std.RunningMeanStd"],
        {"mean": np.asarray(mean, np.float64), "var": np.asarray(variance, np.float64), "count": 1000.0001},
    )
    space = gymnasium.spaces.Box(-1.0, 1.0, (len(mean),))
    state = {"observation_space": space, "obs_rms": running, "norm_obs": True, "norm_obs_keys": None}
    state |= {"epsilon": epsilon, "clip_obs": clip, "old_obs": np.zeros((8, len(mean)), np.float32), **more}
    return pickled(_made(names["stable_baselines3.common.vec_env.vec_normalize.VecNormalize"], state), names, protocol)


def _made(kind, state):
    one = kind()
    vars(one).update(state)
    return one


def safetensors_file(tensors, **more):
    """The safetensors format; `more` goes into the header."""
    kinds = {"float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64"}
    header, data = {}, b""
    for name, value in sorted(tensors.items()):
        place = [len(data), len(data) + value.nbytes]
        header[name] = {"dtype": kinds[value.dtype.name], "shape": list(value.shape), "data_offsets": place}
        data += value.tobytes()
    text = json.dumps({**header, **more}).encode()
    return struct.pack("<Q", len(text)) + text + data


def npz_file(arrays):
    """NumPy's own."""
    made = io.BytesIO()
    np.savez(made, **arrays)
    return made.getvalue()
