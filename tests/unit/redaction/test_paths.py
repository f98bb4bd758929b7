"""What is said about single fields by their paths: they stay as they are, or a function replaces them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from logweir.capture.snapshot import Snapshotter
from logweir.redaction.redactor import Redactor


@dataclass
class Node:
    verdict: Any = None
    children: dict[str, "Node"] = field(default_factory=dict)

    def child(self, name: str) -> "Node | None":
        return self.children.get(name)


def _tree(**verdicts: str | Callable[[Any], Any]) -> Node:
    root = Node()
    for path, verdict in verdicts.items():
        node = root
        for name in path.split("__"):
            node = node.children.setdefault(name, Node())
        node.verdict = verdict
    return root


def _fails(_value: Any) -> Any:
    raise ValueError


def test_an_exempt_path_is_neither_masked_nor_searched_and_the_rest_is():
    snapshot = Snapshotter(Redactor(paths=_tree(a__password="keep", items__token="keep", note="keep")))
    fields = {
        "a": {"password": {"deep": ["4111111111111111"]}, "secret": "x"},
        "password": "x",
        "items": [{"token": "t", "password": "x"}],
        "note": "card 4111111111111111",
    }
    for _ in range(2):  # known names take another way
        assert snapshot(fields)[0] == {
            "a": {"password": {"deep": ["4111111111111111"]}, "secret": "***"},
            "password": "***",
            "items": [{"token": "t", "password": "***"}],
            "note": "card 4111111111111111",
        }


def test_a_function_of_a_path_is_given_the_bare_value_and_its_answer_is_stored_unsearched():
    seen = []

    def pseudonym(value):
        seen.append(value)
        return "4111111111111111"

    snapshot = Snapshotter(Redactor(paths=_tree(user__email=pseudonym, amount=pseudonym, bad=_fails)))
    for _ in range(2):
        stored = snapshot({"user": {"email": "a@b.c", "name": "bob"}, "amount": 5, "bad": "x", "b": 1})[0]

        assert stored == {
            "user": {"email": "4111111111111111", "name": "bob"},
            "amount": "4111111111111111",
            "bad": "***",
            "b": 1,
        }
    assert seen == ["a@b.c", 5, "a@b.c", 5]
