"""The operators of int8 networks, one a file."""

from edgerl.deploy.ops.add import Add, Subtract
from edgerl.deploy.ops.conv import Conv
from edgerl.deploy.ops.dense import Dense
from edgerl.deploy.ops.lookup import Sigmoid, Tanh
from edgerl.deploy.ops.mean import Mean
from edgerl.deploy.ops.moving import Concatenation, Slice
from edgerl.deploy.ops.multiply import Multiply
from edgerl.deploy.ops.operation import Operation

OPERATORS: tuple[type[Operation], ...] = (  # files keep their places: append
    *(Conv, Add, Mean, Dense, Tanh, Sigmoid),
    *(Slice, Concatenation, Multiply, Subtract),
)

__all__ = [
    "OPERATORS",
    "Add",
    "Concatenation",
    "Conv",
    "Dense",
    "Mean",
    "Multiply",
    "Operation",
    "Sigmoid",
    "Slice",
    "Subtract",
    "Tanh",
]
