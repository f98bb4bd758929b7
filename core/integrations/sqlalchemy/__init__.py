"""SQLAlchemy: who changed which column of which row, in the transaction that changed it.

::

    audit_changes(Account, exclude=["updated_at"])

From then on each flush writes an audit event for each ``Account`` that it inserts, changes or deletes, on the
connection of the flush: it is stored if, and only if, the change is committed. :func:`history` reads the
events of a row back.
"""

from logweir.integrations.sqlalchemy.reading import Change, history, history_sync
from logweir.integrations.sqlalchemy.registration import audit_changes

__all__ = ["Change", "audit_changes", "history", "history_sync"]
