"""Statements: changes that pass the unit of work by.

What a session executes (``update(Model)``, ``delete(Model)``, ``insert(Model)``, and the same of its table)
is recorded row by row where that can be done honestly: the rows are read before the statement, locked as it
would lock them, and read again behind it. Where that is not possible, and for every other statement that
changes an audited table on any connection, one event says which statement changed how many rows.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Connection, Engine, Insert, TextClause, Update, UpdateBase, event
from sqlalchemy.orm import ORMExecuteState, Session

from logweir.integrations.sqlalchemy import flushes
from logweir.integrations.sqlalchemy.affected import Capture, plan, rows_of
from logweir.integrations.sqlalchemy.failures import not_to_be_committed
from logweir.integrations.sqlalchemy.links import LinkStatement
from logweir.integrations.sqlalchemy.tracked import Tracked, is_secondary, watched, watched_in
from logweir.integrations.sqlalchemy.writing import write_change, write_statement
from logweir.sinks.sql.client import OF_A_SINK

__all__ = ["listen"]

#: While a statement is executed that is recorded by whoever executes it: what is sent to the database.
_recorded: ContextVar[list[str] | None] = ContextVar("logweir_statement_recorded", default=None)

_LONGEST_STATEMENT = 2000
_QUOTES_TEXTS = frozenset({"mysql", "mariadb"})
_READS = re.compile(r"[\s(]*(?:select|show|explain|pragma|describe)\b", re.IGNORECASE)
_CHANGES = re.compile(
    r"\b(?:insert|replace|merge|(?<!for )(?<!for no key )update|delete|truncate|load\s+data|copy)\b",
    re.IGNORECASE,
)
_EMPTIES = re.compile(r"\btruncate\b", re.IGNORECASE)  # which counts no rows
#: Texts, in MySQL's double quotes and PostgreSQL's dollars too.
_LITERAL = re.compile(r"""'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|(\$\w*\$).*?(?:\1|$)""", re.DOTALL)


def listen(sessions: type[Session], engines: type[Engine]) -> None:
    """Hear what sessions and connections execute."""
    event.listen(sessions, "do_orm_execute", _execute)
    event.listen(engines, "after_execute", _executed)
    event.listen(engines, "after_cursor_execute", _executed_as_text)


def _execute(state: ORMExecuteState) -> Any:
    """Execute a statement of a session's, and look at the rows of an audited class before and after."""
    statement = state.statement
    if not isinstance(statement, UpdateBase) or (tracked := watched(statement.table)) is None:
        return None
    capture = plan(tracked, state)
    if capture is None:
        return None  # it is reported when it was executed
    tracked = capture.tracked
    capture.look_before()
    sent = list[str]()
    token = _recorded.set(sent)
    try:
        result = state.invoke_statement()
    finally:
        _recorded.reset(token)
    connection = state.session.connection(bind_arguments=dict(state.bind_arguments))
    with not_to_be_committed(connection):
        capture.look_after(result)
        _write(tracked, connection, state.session, capture, " ".join(sent[:1]))
    return result


def _write(
    tracked: Tracked, connection: Connection, session: Session, capture: Capture, statement: str
) -> None:
    if capture.why is None:
        for change in capture.changes():
            write_change(tracked, connection, session, change)
    elif capture.rows != 0:
        write_statement(
            tracked,
            connection,
            session,
            _shown(statement, connection.dialect.name),
            capture.rows,
            capture.why,
        )


def _executed(
    connection: Connection, statement: Any, several: Any, _single: Any, options: Any, result: Any
) -> None:
    """Report a statement that changed an audited table, and that nobody else records."""
    if not isinstance(statement, UpdateBase) or (tracked := watched(statement.table)) is None:
        return
    flush = flushes.current()
    # A flush's own statements come from the mapper's cache, or link objects.
    if "compiled_cache" in options if flush is not None else _recorded.get() is not None:
        return
    rows = rows_of(result)
    if rows is None and isinstance(statement, Insert):
        rows = len(several) or None
    text = _shown(getattr(result.context, "statement", None) or str(statement), connection.dialect.name)
    if flush is not None and is_secondary(statement.table):
        if not isinstance(statement, Update):
            count = len(several) if rows is None else rows
            flush.links.append(LinkStatement(tracked, connection, statement, count, text))
    elif rows != 0:
        _report(tracked, connection, text, rows)


def _executed_as_text(
    connection: Connection, cursor: Any, statement: str | bytes, _parameters: Any, context: Any, _many: bool
) -> None:
    """Report a text that may have changed an audited table: it has the table's name and a verb of change."""
    if OF_A_SINK in connection.get_execution_options():  # events, which may be of statements and of megabytes
        return
    if isinstance(statement, bytes):  # as drivers of MySQL take it
        statement = statement.decode(errors="replace")
    if (sent := _recorded.get()) is not None and flushes.current() is None:
        sent.append(statement)
        return
    compiled = getattr(context, "compiled", None)
    if compiled is not None and not isinstance(getattr(compiled, "statement", None), TextClause):
        return
    if _READS.match(statement) or _CHANGES.search(_LITERAL.sub("", statement)) is None:
        return
    rows = getattr(cursor, "rowcount", -1)
    if rows == 0 and _EMPTIES.search(statement) is None:
        return
    for tracked in watched_in(statement):
        _report(tracked, connection, _shown(statement, connection.dialect.name), rows if rows > 0 else None)


def _report(tracked: Tracked, connection: Connection, text: str, rows: int | None) -> None:
    with not_to_be_committed(connection):
        write_statement(tracked, connection, None, text, rows, "it was not executed by the unit of work")


def _shown(statement: str, dialect: str) -> str:
    """The statement without the texts in it, which may be anybody's."""
    if "\\" in statement:  # only the server knows what it means, and so where a text ends
        statement, quote, _ = statement.partition("'")
        text = f"{statement}'?' …" if quote else statement
    else:
        text = _LITERAL.sub(lambda found: _without_text(found[0], dialect), statement)
    return text if len(text) <= _LONGEST_STATEMENT else f"{text[:_LONGEST_STATEMENT]} …"


def _without_text(found: str, dialect: str) -> str:
    """Elsewhere than in MySQL and MariaDB, what stands in double quotes is a name."""
    return found if found.startswith('"') and dialect not in _QUOTES_TEXTS else "'?'"
