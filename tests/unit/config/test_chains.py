"""What `audit.chain` cannot be combined with, and which sinks the commands about chains take."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import logweir
from logweir.cli.app import app
from logweir.config.chains import can_chain
from logweir.config.loading import load_config
from logweir.sinks import registry

FILE = """
data_dir: {folder}/state
sinks:
  apart:
    type: sqlite
    url: sqlite+aiosqlite:///{folder}/a.db
    table: 'log_{{fields.tenant}}'
    provision: true
  one: {{type: sqlite, url: 'sqlite+aiosqlite:///{folder}/b.db', provision: true}}
routes:
  - {{name: audit, match: {{kind: audit}}, to: [{audit}]}}
  - {{name: rest, to: [apart]}}
audit: {{chain: true}}
"""


def file(folder: Path, audit: str) -> Path:
    path = folder / "routing.yaml"
    path.write_text(FILE.format(folder=folder, audit=audit))
    return path


@pytest.mark.parametrize("audit", ["apart", "one, apart"])
def test_a_chain_is_refused_where_audit_goes_to_a_table_for_each_event(tmp_path: Path, audit: str) -> None:
    result = CliRunner().invoke(app, ["check", "--config", str(file(tmp_path, audit))])
    assert result.exit_code == 2
    assert "links the rows of one table, and 'log_{fields.tenant}'" in " ".join(result.output.split())


def test_what_is_not_audit_may_go_there_beside_a_chain(tmp_path: Path) -> None:
    path = file(tmp_path, "one")
    config = load_config(path)
    assert [name for name, sink in config.sinks.items() if can_chain(sink, registry.resolve)] == ["one"]
    assert CliRunner().invoke(app, ["check", "--config", str(path)]).exit_code == 0
    with logweir.running(path):
        logweir.audit_sync("fund.transfer", user_id=7)
        assert logweir.flush(30)
    whole = CliRunner().invoke(app, ["verify", "--config", str(path)])
    assert whole.exit_code == 0, whole.output
    for command in (["verify"], ["schema", "--accept-new-chain"]):
        refused = CliRunner().invoke(app, [*command, "--sink", "apart", "--config", str(path)])
        assert refused.exit_code == 2
        assert "has no chains" in refused.output


def test_explicit_rows_need_one_table(tmp_path: Path) -> None:
    path = file(tmp_path, "one")
    with logweir.running(path):
        row = logweir.LogService().create_audit_log_sync(user_id=7, action="fund.transfer")
        assert row.name == "fund.transfer"
        with pytest.raises(logweir.LogweirError, match="LogService needs a relational sink whose table"):
            logweir.LogService(sink="apart").create_log_sync("note")
