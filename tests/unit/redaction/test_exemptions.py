"""Paths of exemptions: what they match, what they do not, and that the tree says what the paths say."""

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logweir.redaction.exemptions import Node, is_name, parse_path, place_tree
from logweir.redaction.names import words_of


def verdict(tree: Node | None, names: Sequence[str]) -> object:
    """What the walk comes to that goes down by these names."""
    for name in names:
        if tree is None or tree.verdict is not None:
            break
        tree = tree.child(name)
    return tree.verdict if tree is not None else None


KEPT = [
    ("requestParameters.secretId", ["requestParameters", "secretId"]),
    ("requestParameters.secretId", ["request_parameters", "SECRET_ID"]),
    ("requestParameters.secretId", ["requestParameters", "secretId", "anything", "below"]),
    ("items[].token", ["items", "token"]),
    ("items[*].token", ["items", "token"]),
    ("items.*.token", ["items", "token"]),
    ("items.*.token", ["items", "first", "token"]),
    ("headers.*.etag", ["headers", "response", "ETag"]),
    ("*.token", ["session", "token"]),
    ("a.*.*.b", ["a", "x", "y", "b"]),
    ("fields.token", ["token"]),
    ("fields.token", ["fields", "token"]),
    ("user.email", ["user.email"]),
    ("annotations.authorization.k8s.io/decision", ["annotations", "authorization.k8s.io/decision"]),
    ('annotations["authorization.k8s.io/decision"]', ["annotations", "authorization.k8s.io/decision"]),
    ("a.'b c'.d", ["a", "b c", "d"]),
    ("[].token", ["token"]),
    ("ключ.пароль", ["Ключ", "Пароль"]),
    ("a.-", ["a", "-"]),
]


@pytest.mark.parametrize(("path", "names"), KEPT)
def test_what_stands_at_a_path_is_kept(path: str, names: list[str]) -> None:
    assert verdict(place_tree([path]), names) == "keep"


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("requestParameters.secretId", ["secretId"]),
        ("requestParameters.secretId", ["requestParameters"]),
        ("requestParameters.secretId", ["x", "requestParameters", "secretId"]),
        ("requestParameters.secretId", ["requestParameters", "x", "secretId"]),
        ("requestParameters.secretId", ["requestParameters", "secretIds"]),
        ("headers.*.etag", ["headers", "a", "b", "etag"]),
        ("fields.token", ["user", "token"]),
        ('"user.email"', ["user", "email"]),
        ("user.email", ["useremail"]),
        ("a.-", ["a", "."]),
        ("a.-", ["a", ""]),
    ],
)
def test_what_stands_elsewhere_is_not(path: str, names: list[str]) -> None:
    assert verdict(place_tree([path]), names) is None


@pytest.mark.parametrize("path", [path for path, _ in KEPT])
def test_a_path_has_more_than_a_name(path: str) -> None:
    assert not is_name(path)
    assert is_name("session_id")
    assert is_name("session id")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "names no field"),
        ("*", "names no field"),
        ("*.*", "names no field"),
        ("[]", "names no field"),
        ("a.", "from '.' on"),
        (".a", "from '.a' on"),
        ("a..b", "from '..b' on"),
        ("a[", r"from '\[' on"),
        ("a]", "from ']' on"),
        ("a[b]", r"from '\[b\]' on"),
        ("a.'b", "from .*'b.* on"),
        ("items[3].token", "one item of a list"),
        ("items[]token", "from 'token' on"),
        ("user_*.token", r"a \* within a name"),
    ],
)
def test_what_is_no_path_is_refused_with_a_reason(path: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        place_tree([path])


def test_no_paths_make_no_tree() -> None:
    assert place_tree([]) is None


def test_a_replaced_name_is_found_at_any_depth_and_a_path_where_it_says() -> None:
    tree = place_tree(["user.id"], ["client_ip", "user.email", "user.id"], replace := str.upper)
    for names in (["client_ip"], ["clientIp"], ["a", "b", "client-ip"], ["user", "email"], ["user", "id"]):
        assert verdict(tree, names) is replace, names
    for names in (["email"], ["user"], ["a", "user", "email"], ["client_ip_v4"]):
        assert verdict(tree, names) is None, names


def test_a_name_that_is_seen_again_costs_no_search() -> None:
    tree = place_tree(["a.b", "a.c"])
    assert tree is not None
    assert tree.child("a") is tree.child("a")
    assert tree.child("x") is None


def test_names_that_are_data_fill_no_memory() -> None:
    tree = place_tree(["a.b"], ["ip"], str)
    assert tree is not None
    for number in range(5000):
        node = tree.child(f"name {number}")
        assert node is not None
        assert node is tree.child("another")
    assert len(tree._children) <= 1024


_NAME = st.sampled_from(["a", "b", "userId", "user_id", "x.y", "-", "пароль", "*x*"])
_STEP = st.sampled_from(["a", "b", "user_id", "*", "[]"])


def said(path: list[str], names: list[str]) -> bool:
    """Whether a path leads to these names, or above them: written down once more, in the slowest way."""
    steps = [step for step in path if step != "[]"]
    stars = [i for i, step in enumerate(steps) if step == "*"]
    for present in product([True, False], repeat=len(stars)):
        left = [step for i, step in enumerate(steps) if i not in stars or present[stars.index(i)]]
        if len(left) <= len(names) and all(
            step == "*" or words_of(step) == words_of(name) for step, name in zip(left, names, strict=False)
        ):
            return True
    return False


@given(st.lists(st.lists(_STEP, min_size=1, max_size=5), max_size=4), st.lists(_NAME, max_size=5))
def test_the_tree_says_what_its_paths_say_one_by_one(paths: list[list[str]], names: list[str]) -> None:
    usable = [path for path in paths if set(path) - {"*", "[]"}]
    texts = [".".join(path).replace(".[]", "[]").replace("[].", "[].") for path in usable]
    expected = any(said(path, names) for path in usable)
    assert (verdict(place_tree(texts), names) == "keep") is expected


@given(st.text(max_size=20))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    try:
        steps = parse_path(text)
    except ValueError as error:
        assert repr(text) in str(error)
    else:
        assert steps
        assert place_tree([text]) is not None


@given(st.lists(st.text(min_size=1, max_size=8).filter(lambda name: '"' not in name), min_size=1, max_size=4))
def test_every_name_can_be_written_in_quotes(names: list[str]) -> None:
    path = "x" + "".join(f'["{name}"]' for name in names)
    assert verdict(place_tree([path]), ["x", *names]) == "keep"
