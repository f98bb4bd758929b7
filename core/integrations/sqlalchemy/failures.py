"""A change that could not be audited must not be committed, even by whoever swallows the error.

A session rolls back itself when a flush fails. The error of a statement leaves the transaction to the caller:
it is marked then, and its commit is refused until it is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, event

from logweir.context.blocks import block
from logweir.errors import AuditError

__all__ = ["listen_to_commits", "not_to_be_committed"]

_MARK = "logweir.unaudited"


def listen_to_commits(engines: type[Engine]) -> None:
    """Refuse the commits of marked transactions, and forget the marks of those that are rolled back."""
    event.listen(engines, "commit", _refuse)
    event.listen(engines, "prepare_twophase", _refuse)
    for name in ("begin", "begin_twophase", "rollback", "rollback_twophase"):
        event.listen(engines, name, _forget)
    event.listen(engines, "rollback_savepoint", _forget_savepoint)


@block
def not_to_be_committed(connection: Connection) -> Iterator[None]:
    """Mark the transaction if what is done inside raises."""
    try:
        yield
    except BaseException:
        connection.info[_MARK] = connection.in_nested_transaction()
        raise


def _refuse(connection: Connection, *_others: Any) -> None:
    if not connection.invalidated and _MARK in connection.info:
        raise AuditError("this transaction has changed what could not be audited; roll it back")


def _forget(connection: Connection, *_others: Any) -> None:
    # The marks of a connection that broke went with it, and asking for them would have it made anew.
    if not connection.invalidated:
        connection.info.pop(_MARK, None)


def _forget_savepoint(connection: Connection, *_others: Any) -> None:
    if not connection.invalidated and connection.info.get(_MARK):
        _forget(connection)
