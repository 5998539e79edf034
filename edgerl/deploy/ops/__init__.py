"""The operators of int8 networks, one a file."""

from edgerl.deploy.ops.add import Add
from edgerl.deploy.ops.conv import Conv
from edgerl.deploy.ops.dense import Dense
from edgerl.deploy.ops.lookup import Sigmoid, Tanh
from edgerl.deploy.ops.mean import Mean
from edgerl.deploy.ops.operation import Operation

OPERATORS: tuple[type[Operation], ...] = (Conv, Add, Mean, Dense, Tanh, Sigmoid)  # files keep their places: append

__all__ = ["OPERATORS", "Add", "Conv", "Dense", "Mean", "Operation", "Sigmoid", "Tanh"]
