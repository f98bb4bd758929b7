"""A templated path from the routing file to the reader: by the runtime, and by the commands."""

from pathlib import Path

from prometheus_client.exposition import generate_latest
from typer.testing import CliRunner

import logweir
from logweir.cli.app import app
from logweir.integrations.prometheus import collector


def test_what_the_runtime_wrote_by_tenant_is_found_by_the_commands(tmp_path: Path) -> None:
    file = tmp_path / "routing.yaml"
    file.write_text(
        f"""
service: shop
data_dir: {tmp_path}/state
sinks:
  local: {{type: file, path: '{tmp_path}/logs/{{service}}/{{fields.tenant}}.jsonl', max_destinations: 2}}
routes:
  - {{name: all, to: [local]}}
"""
    )
    logweir.start(file)
    logweir.configure_structlog()
    try:
        for tenant in ("acme", "globex", "../../acme", "third"):
            logweir.get_logger().info("order.placed", tenant=tenant)
        assert logweir.flush(30)
        counted = logweir.metrics().sinks["local"]
        assert (counted.stored, counted.overflowed, counted.destinations) == (4, 2, 2)
        assert b'logweir_events_overflowed_total{sink="local"} 2.0' in generate_latest(collector())
    finally:
        logweir.stop()
    folder = tmp_path / "logs"
    written = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.jsonl")}
    assert sorted(written) == ["overflow/overflow.jsonl", "shop/acme.jsonl", "shop/globex.jsonl"]
    assert "../../acme" in written["overflow/overflow.jsonl"]
    answer = CliRunner().invoke(app, ["query", "--config", str(file), "--json"])
    assert answer.exit_code == 0, answer.output
    assert answer.output.count("order.placed") == 4
    only = CliRunner().invoke(app, ["query", "--config", str(file), "--json", "--field", "tenant=globex"])
    assert only.output.count("order.placed") == 1
    health = CliRunner().invoke(app, ["check", "--config", str(file)])
    assert health.exit_code == 0, health.output
