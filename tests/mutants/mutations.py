"""What can be broken in a module: small changes of its functions, each at its place in the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

__all__ = ["Mutant", "applied", "mutants_of"]

_SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change.

    Attributes:
        line: Where the statement begins that is changed.
        start: Where the change begins, in bytes.
        end: Where it ends.
        old: What stands there.
        new: What stands there instead.
    """

    line: int
    start: int
    end: int
    old: str
    new: str


def applied(source: bytes, mutant: Mutant) -> bytes:
    """Return the source with the change in it."""
    return source[: mutant.start] + mutant.new.encode() + source[mutant.end :]


def mutants_of(source: bytes) -> list[Mutant]:
    """Return all changes of the functions of a module, in the order of their places; each still compiles."""
    lines = [0]
    for line in source.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    found = set[Mutant]()
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in _statements(function.body):
                for node, new in _changes(statement):
                    start = lines[node.lineno - 1] + node.col_offset
                    end = lines[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
                    old = source[start:end].decode()
                    mutant = Mutant(statement.lineno, start, end, old, new)
                    if new != old and _compiles(applied(source, mutant)):
                        found.add(mutant)
    return sorted(found, key=lambda mutant: (mutant.start, mutant.end, mutant.new))


def _compiles(source: bytes) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements of a function, without its docstring and without those of functions inside."""
    for position, statement in enumerate(body):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not (is_text and position == 0):
            yield statement
        for block in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(statement, block, []))
        for handler in [*getattr(statement, "handlers", []), *getattr(statement, "cases", [])]:
            yield from _statements(handler.body)


def _changes(statement: ast.stmt) -> Iterator[tuple[ast.stmt | ast.expr, str]]:
    """The changes of one statement: what takes its place, and what takes the place of its expressions."""
    if new := _instead_of(statement):
        yield statement, new
    if isinstance(statement, ast.If | ast.While):
        yield statement.test, f"(not ({ast.unparse(statement.test)}))"
    for name, part in ast.iter_fields(statement):
        if name in {"body", "orelse", "finalbody", "handlers", "cases", "annotation"}:
            continue
        for child in part if isinstance(part, list) else [part]:
            if isinstance(child, ast.expr | ast.withitem):
                yield from _within(child)


def _instead_of(statement: ast.stmt) -> str | None:
    match statement:
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign() | ast.Raise():
            return "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            return "pass"
        case ast.Break():
            return "continue"
        case ast.Continue():
            return "break"
        case ast.Return(value=ast.expr()):
            return "return None"
    return None


def _within(root: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    inside_texts = {
        id(part) for text in ast.walk(root) if isinstance(text, ast.JoinedStr) for part in ast.walk(text)
    }
    for node in ast.walk(root):
        if id(node) in inside_texts:
            continue  # the places of what is in an f-string are not known before Python 3.12
        match node:
            case ast.Compare(ops=[operator]) | ast.BoolOp(op=operator) | ast.BinOp(op=operator):
                if type(operator) in _SWAPPED:
                    yield node, f"({_with(node, _SWAPPED[type(operator)]())})"
            case ast.UnaryOp(op=ast.Not()):
                yield node, f"({ast.unparse(node.operand)})"
            case ast.IfExp():
                changed = deepcopy(node)
                changed.test = ast.UnaryOp(ast.Not(), node.test)
                yield node, f"({ast.unparse(changed)})"
            case ast.Constant(value=bool()):
                yield node, str(not node.value)
            case ast.Constant(value=int()):
                yield node, str(node.value + 1)


def _with(node: ast.expr, operator: ast.AST) -> str:
    changed = deepcopy(node)
    if isinstance(changed, ast.Compare):
        changed.ops = [operator]  # type: ignore[list-item]
    else:
        changed.op = operator  # type: ignore[attr-defined]
    return ast.unparse(changed)
