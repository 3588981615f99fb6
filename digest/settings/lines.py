"""Where in a TOML file each value stands. Imported only when there is something to report or to edit.

The file has been read by tomllib already, so it is right; what this grammar does not know yet is
passed over, and the line of the table around it serves.
"""

from __future__ import annotations

import tomllib
from typing import Any

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

Loc = tuple[str | int, ...]  #: a place in the values: ("subscriber", 0, "timezone")


def lines(text: str) -> dict[Loc, int]:
    """The line of every value, every table and every element of a list."""
    return {loc: int(node.start_point.row) + 1 for loc, node in nodes(text).items()}


def nodes(text: str) -> dict[Loc, Node]:
    """The piece of text of every value, table and element; its offsets are in bytes of UTF-8."""
    root = Parser(Language(tree_sitter_toml.language())).parse(text.encode()).root_node
    at: dict[Loc, Node] = {}
    sizes: dict[Loc, int] = {}  # tables so far in every [[list]]
    for node in root.named_children:
        if node.type not in ("table", "table_array_element"):
            _pairs(node, (), at)
            continue
        if node.named_children[0].has_error:
            continue
        loc: Loc = ()
        *outer, last = _keys(node.named_children[0])
        for key in outer:
            loc = (*loc, key)
            at.setdefault(loc, node)
            loc = (*loc, sizes[loc] - 1) if loc in sizes else loc
        loc = (*loc, last)
        if node.type == "table_array_element":
            at.setdefault(loc, node)
            sizes[loc] = sizes.get(loc, 0) + 1
            loc = (*loc, sizes[loc] - 1)
        at[loc] = node
        for pair in node.named_children[1:]:
            _pairs(pair, loc, at)
    return at


def _pairs(node: Node, loc: Loc, at: dict[Loc, Node]) -> None:
    if node.type != "pair" or node.has_error:
        return
    key, value = (child for child in node.named_children if child.type != "comment")
    for part in _keys(key):
        loc = (*loc, part)
        at.setdefault(loc, key)
    _values(value, loc, at)


def _values(node: Node, loc: Loc, at: dict[Loc, Node]) -> None:
    at[loc] = node
    inner = [child for child in node.named_children if child.type != "comment"]
    if node.type == "inline_table":
        for pair in inner:
            _pairs(pair, loc, at)
    elif node.type == "array":
        for index, child in enumerate(inner):
            _values(child, (*loc, index), at)


def _keys(node: Node) -> list[str]:
    """The parts of a key, which may be dotted and quoted: tomllib reads it for us."""
    table: Any = tomllib.loads(f"{(node.text or b'').decode()} = 0")
    parts = []
    while isinstance(table, dict):
        [(part, table)] = table.items()
        parts.append(part)
    return parts
