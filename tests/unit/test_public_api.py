"""The snapshot of the public API is current and true, and its reader says what a caller sees."""

import difflib
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import public_api

PYPROJECT = '[tool.setuptools.package-dir]\nlogweir = "core"\n'

MODULE = '''\
from abc import ABC
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar, overload

from elsewhere import Theirs
from logweir.below import Given, again

__all__ = ["LIMIT", "Sized", "Thing", "again", "get"]

LIMIT: int = 2**10
Name = Literal["a", "b"]
T = TypeVar("T")


class _Base(ABC, Generic[T]):
    shared: list[int] = field(default_factory=list)

    def __init__(self, first: T, *, second: Theirs = None) -> None:
        self.first = first
        self._hidden = second

    def close(self) -> None: ...


class Thing(_Base[int]):
    """Its members and those of its private base."""

    kind: Name = "a"

    @property
    def given(self) -> Given: ...

    @some.decorator
    async def close(self, a, /, b: int, *rest: str, c=LIMIT, **more: object) -> None: ...

    def _private(self) -> None: ...


@dataclass(frozen=True)
class Sized:
    size: int = 0
    name: str = "x"


@overload
def get(name: str) -> int: ...
@overload
def get(name: None = None) -> None: ...
def get(name=None): ...
'''

BELOW = """\
class Given:
    value: float

    def of(self, other: Unfollowed) -> None: ...


class Unfollowed: ...


def again() -> None: ...
"""

EXPECTED = """\
logweir.LIMIT: int
logweir.Sized: @dataclass(frozen=True) class
logweir.Sized.size: int = 0
logweir.Sized.name: str = 'x'
logweir.Thing: class (ABC, Generic[T])
logweir.Thing.shared: list[int] = field(default_factory=list)
logweir.Thing.first: T
logweir.Thing.kind: Name = 'a'
logweir.Thing.__init__: def (self, first: T, *, second: Theirs = None) -> None
logweir.Thing.close: async def (self, a, /, b: int, *rest: str, c = LIMIT, **more: object) -> None
logweir.Thing.given: @property def (self) -> Given
logweir.again: def () -> None
logweir.get: @overload def (name: str) -> int
logweir.get: @overload def (name: None = None) -> None

logweir.below.again: same as logweir.again

# Types
Given: class
Given.value: float
Given.of: def (self, other: Unfollowed) -> None
Name = Literal['a', 'b']
T = TypeVar('T')
"""


@pytest.fixture
def _forgetful() -> Iterator[None]:
    """What was read of one tree is not taken for another's."""
    caches: list[Any] = [
        public_api.statements,
        public_api.find,
        public_api.public_paths,
        public_api.first_paths,
    ]
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


def test_the_snapshot_of_the_public_api_is_current() -> None:
    kept = public_api.SNAPSHOT.read_text(encoding="utf-8")
    now = public_api.Listing().text()
    changes = difflib.unified_diff(
        kept.splitlines(), now.splitlines(), "docs/reference/public-api.txt", "the source", n=0, lineterm=""
    )
    if kept != now:
        message = ["the public API has changed; if that is meant, type: make api", *changes]
        pytest.fail("\n".join(message), pytrace=False)


def test_every_public_name_can_be_imported_and_no_other_is_offered() -> None:
    listed: dict[str, list[str]] = {}
    for path in public_api.public_paths():
        module, _, name = path.rpartition(".")
        listed.setdefault(module, []).append(name)
    for module, names in listed.items():
        imported = importlib.import_module(module)
        assert sorted(names) == sorted(imported.__all__), module
        assert all(hasattr(imported, name) for name in names), module


@pytest.mark.usefixtures("_forgetful")
def test_the_listing_says_what_a_caller_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "core" / "__init__.py").write_text(MODULE)
    (tmp_path / "core" / "below.py").write_text(f'{BELOW}\n__all__ = ["again"]\n')
    monkeypatch.setattr(public_api, "ROOT", tmp_path)
    monkeypatch.setattr(public_api, "PUBLIC", ("logweir", "logweir.*"))
    monkeypatch.setattr(public_api, "UNEXPORTED", "# Types\n")
    assert public_api.Listing().text() == f"{public_api.HEADER}\n{EXPECTED}"
