"""YAML as people read it: keys once, numbers in base ten as they look, no tags, nothing that grows when it is read.

YAML 1.1, which PyYAML reads, takes 010 for 8, 1:30 for 90, `no` for false and 2024-01-01 for a date. Here such text
stays text (`Plain`), and whoever expects a number or a truth value decides what it may mean.
"""

import re
from typing import Any

import yaml

MOST_NODES = 10_000  # of a document whose aliases are written out

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
# A part of what YAML 1.1 takes for one, so that text which PyYAML writes without quotes stays text.
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*([eE][-+][0-9]+)?|\.[0-9]+([eE][-+][0-9]+)?|\.(inf|Inf|INF))|\.(nan|NaN|NAN)")
_LONGEST_INT = 4000  # digits; Python reads no more


class Plain(str):
    """Text that stood without quotes, and so may be meant as something else than text."""

    __slots__ = ()


class PlainError(yaml.MarkedYAMLError):
    """What is not read here, though it may be YAML."""


class _Loader(yaml.SafeLoader):
    """Refuses tags before anything is made of them."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        if getattr(event, "tag", None) is not None:
            raise PlainError(problem=f"tags are not read: {event.tag}", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


def parse(text: str) -> Any:
    """The value of a document of one, made of dict, list, str, `Plain`, int, float, bool and None.

    Raises:
      yaml.YAMLError: the text is not YAML, or uses what is not read here.
      RecursionError: it is nested too deeply.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
    finally:
        loader.dispose()
    if node is None:
        return None
    if _size(node, {}) > MOST_NODES:
        raise PlainError(problem=f"more than {MOST_NODES} values when its aliases are written out")
    return _value(node)


def _size(node: yaml.Node, sizes: dict[int, int | None]) -> int:
    """Nodes below and with this one, those behind aliases as often as they are used."""
    if id(node) in sizes:
        known = sizes[id(node)]
        if known is None:
            raise PlainError(problem="an alias stands inside what it stands for", problem_mark=node.start_mark)
        return known
    sizes[id(node)] = None
    parts: list[Any] = [] if isinstance(node, yaml.ScalarNode) else node.value
    if isinstance(node, yaml.MappingNode):
        parts = [part for pair in node.value for part in pair]
    size = 1 + sum(_size(part, sizes) for part in parts)
    sizes[id(node)] = size
    return size


def _value(node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node)
    if isinstance(node, yaml.SequenceNode):
        return [_value(part) for part in node.value]
    assert isinstance(node, yaml.ScalarNode)  # there are no other nodes
    return node.value if node.style else _plain(node.value)


def _mapping(node: yaml.MappingNode) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    lines: dict[Any, int] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise PlainError(problem="a key is no text", problem_mark=key_node.start_mark)
        key, line = _value(key_node), key_node.start_mark.line + 1
        if key == "<<":
            raise PlainError(problem="merging with << is not read", problem_mark=key_node.start_mark)
        if key in made:
            raise PlainError(problem=f"key '{key}' is there twice, in line {lines[key]} and in line {line}")
        made[key], lines[key] = _value(value_node), line
    return made


def _plain(text: str) -> Any:
    """What text without quotes is."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text) and len(text) < _LONGEST_INT:
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return Plain(text)
