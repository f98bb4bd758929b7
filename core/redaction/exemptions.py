"""Places in an event, by their paths: where nothing is masked, and where something else stands instead.

A path is written as fields are named, from the top: ``requestParameters.secretId``, ``items[].token``,
``headers.*.etag``. Its names are compared by their words, as secret names are, so that ``secret_id`` and
``secretId`` are one. Lists are transparent: ``[]`` may be written and is not needed. A ``*`` is any one name,
or none. A name with dots, as in ``annotations.authorization.k8s.io/decision``, may be written as it is, or in
quotes. A single word is no place but a name at any depth.

:func:`place_tree` joins paths to a tree for the walk of the snapshot; what the walk met before costs one
look-up. Everything here is pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import takewhile
from typing import Any

from logweir.redaction.names import words_of
from logweir.redaction.paths import Verdict

__all__ = ["Node", "is_name", "parse_path", "place_tree"]

_ANY = "*"
_FIELDS = "fields"
_MOST_CHILDREN = 1024  # of one node; only data that is logged as names has more

#: One step of a path: an item of a list, or a name, which may stand in quotes and then holds anything.
_STEP = re.compile(
    r"""\[(?P<item>\*|\d*)\]"""
    r"""|(?P<dot>\.?)(?P<bracket>\[?)(?:"(?P<double>[^"]+)"|'(?P<single>[^']+)')(?(bracket)\]?)"""
    r"""|(?P<sign>\.?)(?P<plain>[^.\[\]"']+)"""
)

Path = tuple[str, ...]


def is_name(text: str) -> bool:
    """Return whether an entry is a name at any depth and no path: it has no dot, bracket or wildcard."""
    return not set(text) & set(".[]*\"'")


def parse_path(text: str) -> Path:
    """Return the steps of a path; each is a name as it is compared, or ``*``.

    Raises:
        ValueError: It is no path; the message says why.
    """
    steps: list[str] = []
    end = 0
    while end < len(text):
        match = _STEP.match(text, end)
        if match is None or (match["plain"] and (match["sign"] == ".") is (end == 0)):
            raise ValueError(f"{text!r} is no path from {text[end:]!r} on; write one as items[].user.token")
        if (match["item"] or _ANY) != _ANY:
            raise ValueError(f"{text!r} names one item of a list; they are alike here, so write [] for all")
        if match["item"] is None:
            steps.append(
                _step(text, (match["plain"] or "").strip(), match["double"] or match["single"] or "")
            )
        end = match.end()
    if not set(steps) - {_ANY}:
        raise ValueError(f"{text!r} names no field; write a name or a path such as items[].user.token")
    return tuple(steps)


def _step(text: str, plain: str, quoted: str) -> str:
    if plain == _ANY:
        return _ANY
    if _ANY in plain:
        raise ValueError(f"{text!r} has a * within a name; it stands for a whole name, as in headers.*.etag")
    return _compared(plain or quoted)


def _compared(name: str) -> str:
    """A name as it is compared: its words, or itself where it has none."""
    return "".join(words_of(name)) or name


class Node:
    """A place in an event; the same node stands for all places that are alike.

    Attributes:
        verdict: ``"keep"``: what stands here is stored as it is; a function: what it returns is stored
            instead; ``None``: this place is like any other.
    """

    __slots__ = ("_children", "_states", "_tree", "verdict")

    def __init__(self, tree: _Tree, states: frozenset[_State], verdict: Verdict) -> None:
        self._tree = tree
        self._states = states
        self._children: dict[str, Node | None] = {}
        self.verdict = verdict

    def child(self, name: str) -> Node | None:
        """Return the place of a name below this one; ``None`` where no path leads on and none has ended."""
        try:
            return self._children[name]
        except KeyError:
            pass
        child = self._tree.node(self._tree.after(self._states, name))
        # No lock: each step is one operation on a dictionary, and a child that is lost is found again.
        if len(self._children) >= _MOST_CHILDREN:
            self._children.clear()
        self._children[name] = child
        return child


#: A path, and how many of its steps have been taken.
_State = tuple[int, int]


class _Tree:
    """All paths at once. A place is the set of paths that lead on from it, with how far each has come."""

    def __init__(
        self, paths: list[Path], anywhere: frozenset[int], first_replaced: int, replace: Any
    ) -> None:
        self._paths = paths
        self._anywhere = frozenset((path, 0) for path in anywhere)
        self._first_replaced = first_replaced
        self._replace = replace
        self._nodes: dict[frozenset[_State], Node | None] = {frozenset(): None}

    def top(self) -> Node | None:
        return self.node(self._closed({(path, 0) for path in range(len(self._paths))}))

    def node(self, states: frozenset[_State]) -> Node | None:
        if states not in self._nodes:
            self._nodes[states] = Node(self, states, self._verdict(states))
        return self._nodes[states]

    def after(self, states: frozenset[_State], name: str) -> frozenset[_State]:
        """Where one leads that stood at ``states``; a name with dots may also be several steps."""
        reached = self._step(states, _compared(name))
        if "." in name:
            parts = states
            for part in name.split("."):
                parts = self._step(parts, _compared(part))
            reached |= parts
        return reached

    def _step(self, states: frozenset[_State], name: str) -> frozenset[_State]:
        taken = {
            (path, done + 1)
            for path, done in states
            if done < len(self._paths[path]) and self._paths[path][done] in {name, _ANY}
        }
        return self._closed(taken | self._anywhere)

    def _closed(self, states: set[_State]) -> frozenset[_State]:
        """Add what is reached by a ``*`` that stands for no name, as for the items of a list."""
        closed = set(states)
        for path, done in states:
            stars = takewhile(lambda step: step == _ANY, self._paths[path][done:])
            closed.update((path, done + taken) for taken, _ in enumerate(stars, start=1))
        return frozenset(closed)

    def _verdict(self, states: frozenset[_State]) -> Verdict:
        ended = {path for path, done in states if done == len(self._paths[path])}
        if any(path >= self._first_replaced for path in ended):
            return self._replace  # type: ignore[no-any-return]
        return "keep" if ended else None


def place_tree(
    kept: Iterable[str], replaced: Iterable[str] = (), replace: Callable[[Any], Any] | None = None
) -> Node | None:
    """Return the top of the tree of all paths; ``None`` if there are none.

    Args:
        kept: Paths of what is stored as it is.
        replaced: Paths, and names at any depth, of what is replaced; where both are said, this wins.
        replace: What returns the value that is stored instead.

    Raises:
        ValueError: One of them is no path.
    """
    keeping = [path for text in kept for path in _readings(text)]
    replacing = [(path, is_name(text)) for text in replaced for path in _readings(text)]
    paths = [*keeping, *(path for path, _ in replacing)]
    anywhere = frozenset(len(keeping) + i for i, (_, is_anywhere) in enumerate(replacing) if is_anywhere)
    return _Tree(paths, anywhere, len(keeping), replace).top()


def _readings(text: str) -> list[Path]:
    """What a path may mean: ``fields.user`` is the field ``user``, or what is below a field ``fields``."""
    path = parse_path(text)
    return [path, path[1:]] if path[0] == _FIELDS and set(path[1:]) - {_ANY} else [path]
