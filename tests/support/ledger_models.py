"""Models whose changes are audited by the tests of `audit_changes`; the tables have names of their own."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, Column, ForeignKey, Integer, LargeBinary, Numeric, String, Table, func
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    WriteOnlyMapped,
    mapped_column,
    relationship,
)

from logweir.integrations.sqlalchemy import audit_changes


class Base(DeclarativeBase):
    """The metadata of these tables."""


class Colour(enum.Enum):
    """Of an account."""

    RED = "r"
    BLUE = "b"


account_tags = Table(
    "chg_account_tags",
    Base.metadata,
    Column("account_id", ForeignKey("chg_accounts.id"), primary_key=True),
    Column("tag_id", ForeignKey("chg_tags.id"), primary_key=True),
)


class Account(Base):
    """A row with many kinds of columns."""

    __tablename__ = "chg_accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(String(50))
    balance: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    password: Mapped[str | None] = mapped_column(String(50))
    note: Mapped[str | None] = mapped_column(String(50))
    secret_note: Mapped[str | None] = mapped_column("hidden", String(50))
    opened: Mapped[datetime | None]
    token_of: Mapped[uuid.UUID | None]
    colour: Mapped[Colour | None]
    picture: Mapped[bytes | None] = mapped_column(LargeBinary)
    settings: Mapped[dict[str, Any] | None] = mapped_column(MutableDict.as_mutable(JSON))
    version: Mapped[int] = mapped_column(Integer, server_default="7")
    created: Mapped[datetime] = mapped_column(server_default=func.now())
    changed: Mapped[int | None] = mapped_column(onupdate=42)
    tags: Mapped[list[Tag]] = relationship(secondary=account_tags, back_populates="accounts")
    entries: Mapped[list[Entry]] = relationship(back_populates="account", cascade="all, delete-orphan")


class Tag(Base):
    """Linked many to many; not audited itself."""

    __tablename__ = "chg_tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    accounts: Mapped[list[Account]] = relationship(secondary=account_tags, back_populates="tags")


class Entry(Base):
    """A child, with a key of two columns."""

    __tablename__ = "chg_entries"
    ledger: Mapped[str] = mapped_column(String(10), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("chg_accounts.id"))
    amount: Mapped[int] = mapped_column(default=0)
    account: Mapped[Account | None] = relationship(back_populates="entries")


class Folder(Base):
    """Whose papers the database deletes."""

    __tablename__ = "chg_folders"
    id: Mapped[int] = mapped_column(primary_key=True)
    papers: Mapped[list[Paper]] = relationship(cascade="all, delete-orphan", passive_deletes=True)


class Paper(Base):
    """Whose notes, too, the database deletes; it has no more than its foreign key to say so."""

    __tablename__ = "chg_papers"
    id: Mapped[int] = mapped_column(primary_key=True)
    folder_id: Mapped[int] = mapped_column(ForeignKey("chg_folders.id", ondelete="CASCADE"))
    remarks: Mapped[list[Remark]] = relationship(passive_deletes=True)


class Remark(Base):
    """Which stays without its paper."""

    __tablename__ = "chg_remarks"
    id: Mapped[int] = mapped_column(primary_key=True)
    paper_id: Mapped[int | None] = mapped_column(ForeignKey("chg_papers.id", ondelete="SET NULL"))


class Node(Base):
    """In a tree, with a favourite that is set by a second statement, and one badge."""

    __tablename__ = "chg_nodes"
    id: Mapped[int] = mapped_column(primary_key=True)
    favourite_id: Mapped[int | None] = mapped_column(ForeignKey("chg_nodes.id"))
    favourite: Mapped[Node | None] = relationship(remote_side="Node.id", post_update=True)
    badge: Mapped[Badge | None] = relationship()
    notes: WriteOnlyMapped[Scrap] = relationship(passive_deletes=True)
    drafts: DynamicMapped[Draft] = relationship()


class Badge(Base):
    """Of one node."""

    __tablename__ = "chg_badges"
    code_token: Mapped[str] = mapped_column(String(20), primary_key=True)
    node_id: Mapped[int | None] = mapped_column(ForeignKey("chg_nodes.id"))


class Scrap(Base):
    """In a collection that is only written."""

    __tablename__ = "chg_scraps"
    id: Mapped[int] = mapped_column(primary_key=True)
    node_id: Mapped[int | None] = mapped_column(ForeignKey("chg_nodes.id"))


class Draft(Base):
    """In a dynamic collection."""

    __tablename__ = "chg_drafts"
    id: Mapped[int] = mapped_column(primary_key=True)
    node_id: Mapped[int | None] = mapped_column(ForeignKey("chg_nodes.id"))


class Person(Base):
    """The root of a hierarchy: a table for each class, and one class without."""

    __tablename__ = "chg_people"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(50))
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}


class Manager(Person):
    """With a table of its own."""

    __tablename__ = "chg_managers"
    id: Mapped[int] = mapped_column(ForeignKey("chg_people.id"), primary_key=True)
    budget: Mapped[int] = mapped_column(default=0)
    __mapper_args__ = {"polymorphic_identity": "manager"}


class Guest(Person):
    """In the table of its parent."""

    badge: Mapped[str | None] = mapped_column(String(10))
    __mapper_args__ = {"polymorphic_identity": "guest"}


class Quiet(Base):
    """Whose audit may fail, and whose values are read before."""

    __tablename__ = "chg_quiet"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str | None] = mapped_column(String(50))


class Plain(Base):
    """Not audited."""

    __tablename__ = "chg_plain"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str | None] = mapped_column(String(50))


audit_changes(Account, exclude=["secret_note"], max_rows=50)
audit_changes(Entry, load_before=True)
audit_changes(Person)
audit_changes(Quiet, on_error="report", load_before=True, actor=lambda session: "the quiet one")
audit_changes(Folder)
audit_changes(Paper, max_rows=3)
audit_changes(Remark)
audit_changes(Node, load_before=True)
