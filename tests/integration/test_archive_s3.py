"""Archives in an object store, against a real S3 API server on loopback."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from logweir.cli.app import app
from logweir.config.loading import load_config
from logweir.errors import ArchiveError
from logweir.settings.retention import RetentionConfig
from logweir.stores.archive.storage import Storage
from support.archives import bare, fill, held, old_events
from support.object_store import s3_server

SECRET = "wJalrXUtnFEMI-of-the-test"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("moto") / "moto.log") as address:
        yield address


def rule(address: str, url: str) -> dict[str, Any]:
    return {
        "after": "90d",
        "archive": url,
        "options": {"key": "test", "secret": SECRET, "endpoint_url": address},
    }


def storage(address: str, url: str) -> Storage:
    return Storage(url, RetentionConfig.model_validate(rule(address, url)).options)


@pytest.fixture
def bucket(address: str, request: pytest.FixtureRequest) -> str:
    name = f"audit-{abs(hash(request.node.name)) % 10**10}"
    place = storage(address, f"s3://{name}/x")
    place._fs.mkdir(name)
    return f"s3://{name}"


def routing_file(directory: Path, address: str, url: str) -> None:
    sink = {
        "type": "sqlite",
        "url": "sqlite+aiosqlite:///audit.db",
        "provision": True,
        "retention": rule(address, url),
    }
    routing = {
        "data_dir": "data",
        "sinks": {"audit_db": sink},
        "routes": [{"name": "all", "to": ["audit_db"]}],
    }
    (directory / "routing.yaml").write_text(json.dumps(routing))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_the_rule_of_routing_yaml_archives_into_a_bucket_and_restores(
    tmp_path: Path, address: str, bucket: str
) -> None:
    routing_file(tmp_path, address, f"{bucket}/audit")
    config, events = load_config("routing.yaml"), old_events(300)
    asyncio.run(fill(config, events))
    archived = run("archive", "--sink", "audit_db")
    assert archived.exit_code == 0, archived.output
    assert f"300 rows of 3 days archived in 3 files at {bucket}/audit, 300 rows deleted" in archived.output
    assert asyncio.run(held(config)) == []
    place = storage(address, f"{bucket}/audit")
    assert len(place.find(place.root, "part-", ".parquet")) == 3
    assert len(place.find(place.root, "manifest-", ".json")) == 3
    restored = run("restore", "--from", f"{bucket}/audit/audit_db", "--to", "audit_db")
    assert restored.exit_code == 0, restored.output
    assert asyncio.run(held(config)) == bare(events)
    assert SECRET not in archived.output + restored.output


def test_pyarrow_alone_reads_the_archive(tmp_path: Path, address: str, bucket: str) -> None:
    import pyarrow.dataset as ds

    routing_file(tmp_path, address, f"{bucket}/audit")
    asyncio.run(fill(load_config("routing.yaml"), old_events(50)))
    assert run("archive", "--sink", "audit_db").exit_code == 0
    place = storage(address, f"{bucket}/audit")
    dataset = ds.dataset(
        place.find(place.root, "part-", ".parquet"),
        filesystem=place._fs,
        partitioning="hive",
        format="parquet",
    )
    rows = dataset.to_table(filter=ds.field("user_id") == "7", columns=["action", "time"]).to_pylist()
    assert [row["action"] for row in rows] == ["event 7"]


def test_an_upload_that_was_begun_and_abandoned_leaves_nothing(address: str, bucket: str) -> None:
    place = storage(address, f"{bucket}/audit")
    new = place.create(place.path("day", "part.parquet"))
    new.file.write(b"x" * (60 * 2**20))  # more than one part of a multipart upload
    new.abandon()
    assert place.find(place.root, "", "") == []


def test_a_bucket_that_is_missing_is_reported_and_nothing_is_deleted(tmp_path: Path, address: str) -> None:
    routing_file(tmp_path, address, "s3://there-is-no-such-bucket/audit")
    config, events = load_config("routing.yaml"), old_events(10)
    asyncio.run(fill(config, events))
    result = run("archive", "--sink", "audit_db")
    assert result.exit_code == 1
    assert "s3://there-is-no-such-bucket/audit" in result.output
    assert SECRET not in result.output
    assert asyncio.run(held(config)) == bare(events)


def test_a_store_that_nobody_serves_is_reported_without_its_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # what is said of it is the same after one
    place = storage("http://127.0.0.1:9", "s3://bucket/audit")
    with pytest.raises(ArchiveError, match="s3://bucket/audit") as raised:
        place.read(place.path("x"))
    assert SECRET not in str(raised.value)
