"""Alembic: autogenerate leaves logweir's tables alone, and migrations of the application make them."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import alembic.command
import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, inspect

import logweir
from logweir.integrations.alembic import include_object

OWN = {"audit_log", "audit_log_outbox", "audit_log_chain", "audit_log_chain_gone", "audit_log_chain_ids"}
OWN |= {"audit_log_chain_closed", "logweir_schema"}


def routing(path: Path, *, provision: bool, table: str = "audit_log") -> dict[str, Any]:
    sink = {
        "type": "sqlite",
        "url": f"sqlite+aiosqlite:///{path}",
        "table": table,
        "provision": provision,
        "outbox": True,
    }
    return {
        "data_dir": str(path.parent / "data"),
        "sinks": {"audit_db": sink},
        "routes": [{"name": "all", "to": ["audit_db"]}],
        "audit": {"chain": True, "acknowledge": "stored"},
    }


def drops(path: Path, metadata: MetaData, **options: Any) -> set[str]:
    """What autogenerate would drop."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        found = compare_metadata(context, metadata)
    engine.dispose()
    assert {name for name, *_ in found} <= {"remove_table", "remove_index", "add_table"}, found
    return {table.name for name, table in found if name == "remove_table"}


@pytest.mark.parametrize("table", ["audit_log", "journal"])
def test_autogenerate_drops_none_of_logweirs_tables(tmp_path: Path, table: str) -> None:
    path = tmp_path / "shop.db"
    with logweir.running(routing(path, provision=True, table=table)):
        logweir.audit_sync("order.ship", user_id=7)
    own = {name.replace("audit_log", table) for name in OWN}
    assert drops(path, MetaData()) == own, "without the rule it would drop them all"
    assert drops(path, MetaData(), include_object=include_object) == set()


def test_autogenerate_still_sees_the_applications_tables(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    metadata = MetaData()
    for name in ("orders", "audit_log", "shop_outbox"):
        Table(name, metadata, Column("id", Integer, primary_key=True), Column("note", String(20)))
    engine = create_engine(f"sqlite:///{path}")
    metadata.create_all(engine)
    engine.dispose()
    assert drops(path, MetaData(), include_object=include_object) == {"orders", "audit_log", "shop_outbox"}


ENV = """
from alembic import context
from sqlalchemy import create_engine
import logweir.integrations.alembic

url = context.config.get_main_option("sqlalchemy.url")
if context.is_offline_mode():
    context.configure(url=url, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = create_engine(url)
    with engine.connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()
"""

REVISION = """
from alembic import op
revision = "{revision}"
down_revision = {down!r}

def upgrade():
    op.provision_audit_tables("audit_log"{options})

def downgrade():
    pass
"""


def project(directory: Path, url: str) -> Config:
    """An application's migrations: first the table, later its chain and its outbox."""
    versions = directory / "migrations" / "versions"
    versions.mkdir(parents=True)
    (directory / "migrations" / "env.py").write_text(ENV)
    first = REVISION.format(revision="a1", down=None, options="")
    (versions / "a1.py").write_text(first)
    (versions / "b2.py").write_text(
        REVISION.format(revision="b2", down="a1", options=", chain=True, outbox=True")
    )
    config = Config()
    config.set_main_option("script_location", str(directory / "migrations"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("sqlalchemy.url", url)
    return config


def test_migrations_of_the_application_make_and_upgrade_the_tables(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    config = project(tmp_path, f"sqlite:///{path}")
    alembic.command.upgrade(config, "a1")
    engine = create_engine(f"sqlite:///{path}")
    assert set(inspect(engine).get_table_names()) == {"audit_log", "logweir_schema", "alembic_version"}
    alembic.command.upgrade(config, "b2")
    assert set(inspect(engine).get_table_names()) == OWN | {"alembic_version"}
    alembic.command.downgrade(config, "base")
    alembic.command.upgrade(config, "head")

    with logweir.running(routing(path, provision=False)):
        assert logweir.audit_sync("order.ship", user_id=7).level == "stored"
    with engine.connect() as connection:
        rows = connection.execute(sqlalchemy.text("SELECT action, user_id, chain_seq FROM audit_log")).all()
        version = connection.scalar(sqlalchemy.text("SELECT version FROM logweir_schema"))
    engine.dispose()
    assert [(action, user) for action, user, _ in rows] == [("order.ship", "7")]
    assert rows[0].chain_seq is not None
    assert version == 2


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mysql+aiomysql"])
def test_migrations_are_printed_for_other_eyes(tmp_path: Path, dialect: str) -> None:
    config = project(tmp_path, f"{dialect}://host/shop" if dialect != "sqlite" else "sqlite:///shop.db")
    config.output_buffer = io.StringIO()
    alembic.command.upgrade(config, "b2", sql=True)
    script = config.output_buffer.getvalue()
    for table in OWN:
        assert f"CREATE TABLE IF NOT EXISTS {table} (" in script
    assert "INSERT INTO logweir_schema" in script


def test_without_alembic_the_import_says_what_to_install() -> None:
    code = "import sys; sys.modules['alembic'] = None; import logweir.integrations.alembic"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'logweir[alembic]'" in done.stderr
