"""The files of examples/fleet are what their readers (compose, systemd, Kubernetes, KEDA, logweir) take.

Where nothing can be started, the schemas of those readers are asked, strictly: an unknown key is an error.
"""

import importlib.resources
import json
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import jsonschema
import kubernetes_validate
import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.config.sinks import context_of
from logweir.delivery.brokers.making import place_of
from logweir.delivery.brokers.redis import RedisBroker
from logweir.runtime.worker_process import sinks_to_deliver

FOLDER = Path(__file__).parents[2] / "examples" / "fleet"
UNITS = sorted((FOLDER / "systemd").glob("*.service"))
MANIFESTS = sorted((FOLDER / "kubernetes").glob("*.yaml"))
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
#: The oldest release whose schemas the manifests have to pass.
KUBERNETES = "1.30"


@pytest.fixture
def routing(monkeypatch: pytest.MonkeyPatch) -> RoutingConfig:
    """routing.yaml, in the environment that the pods are given."""
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    return load_config(FOLDER / "routing.yaml")


def environment() -> dict[str, str]:
    """The variables of the ConfigMap, and those of the secret that the README makes."""
    (settings,) = (each["data"] for each in resources() if each["kind"] == "ConfigMap")
    secret = {
        "MYSQL_URL": "mysql+aiomysql://app:secret@mysql/app",
        "REDIS_URL": "redis://:secret@redis:6379/0",
        "REDIS_PASSWORD": "secret",
    }
    assert all(f"--from-literal={name}=" in (FOLDER / "README.md").read_text() for name in secret)
    return {**settings, **secret}


def resources() -> list[dict[str, Any]]:
    """Every resource of the manifests."""
    return [each for path in MANIFESTS for each in yaml.safe_load_all(path.read_text())]


def pods() -> dict[str, dict[str, Any]]:
    """The pods of the workloads by name."""
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for each in resources()
        if each["kind"] in {"Deployment", "StatefulSet"}
    }


# -- routing.yaml ---------------------------------------------------------------------------------------


def test_the_routing_file_loads_with_the_environment_that_pods_are_given(routing: RoutingConfig) -> None:
    assert list(routing.sinks) == ["audit_db", "logs", "audit_copy"]
    assert routing.data_dir == Path("/var/lib/logweir/data")


def test_it_loads_with_the_addresses_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MYSQL_URL", "REDIS_URL", "LOKI_URL"):
        monkeypatch.setenv(name, re.sub(r"\$\{[^}]*\}", "secret", COMPOSE["x-logweir"]["environment"][name]))
    config = load_config(FOLDER / "routing.yaml")
    assert config.sinks["audit_db"].queue.local == "disk"


def test_every_variable_of_the_file_is_one_that_a_place_gives_or_has_a_default() -> None:
    asked = re.findall(r"\$\{(\w+)(:-[^}]*)?\}", (FOLDER / "routing.yaml").read_text())
    needed = {name for name, default in asked if not default}
    assert needed <= environment().keys()
    assert needed <= COMPOSE["x-logweir"]["environment"].keys()


# -- compose --------------------------------------------------------------------------------------------


def compose_problems(document: dict[str, Any]) -> list[str]:
    """What the schema of the Compose Specification says."""
    package = importlib.resources.files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    validator = jsonschema.validators.validator_for(schema := json.loads(package.read_text()))
    return [error.message for error in validator(schema).iter_errors(document)]


def test_the_compose_file_has_its_schema_and_the_services_of_a_fleet() -> None:
    assert compose_problems(COMPOSE) == []
    assert {"app", "worker-1", "worker-2", "redis", "mysql", "victorialogs"} <= COMPOSE["services"].keys()


def test_the_schema_would_find_a_key_that_compose_does_not_know() -> None:
    wrong = {**COMPOSE, "services": {"app": {**COMPOSE["services"]["app"], "stop_period": "60s"}}}
    assert "stop_period" in str(compose_problems(wrong))


def test_compose_names_what_it_declares_and_waits_longer_than_logweir_drains(routing: RoutingConfig) -> None:
    named = {volume.split(":")[0] for each in COMPOSE["services"].values() for volume in each["volumes"]}
    assert {name for name in named if not name.startswith(".")} == COMPOSE["volumes"].keys()
    assert int(COMPOSE["x-logweir"]["stop_grace_period"].rstrip("s")) > 2 * routing.drain_timeout
    assert COMPOSE["services"]["host-worker"]["volumes"] == COMPOSE["services"]["app"]["volumes"]


# -- the commands of all of them ------------------------------------------------------------------------


def commands() -> dict[str, list[str]]:
    """Every ``logweir worker`` of the files, by where it stands."""
    found = {
        f"compose {name}": each["command"]
        for name, each in COMPOSE["services"].items()
        if "worker" in each.get("command", ())
    }
    for name, pod in pods().items():
        for each in pod["containers"]:
            if "worker" in each.get("command", ()):
                found[f"pod {name} {each['name']}"] = each["command"]
    for path in UNITS:
        found[path.name] = re.findall(r"^ExecStart=(.*)$", path.read_text(), re.MULTILINE)[0].split()
    return found


@pytest.mark.parametrize("where", sorted(commands()))
def test_a_worker_is_started_for_sinks_that_it_may_deliver(where: str, routing: RoutingConfig) -> None:
    command = commands()[where]
    assert Path(command[0]).name == "logweir"
    sinks = [after for before, after in pairwise(command) if before == "--sink"]
    assert sinks == sinks_to_deliver(routing, sinks)
    over_a_broker = {routing.sinks[name].queue.goes_over_a_broker for name in sinks}
    assert len(over_a_broker) == 1, "a worker of a host and a worker behind a broker are two processes"


def test_every_sink_has_a_worker_in_every_place(routing: RoutingConfig) -> None:
    for place in ("compose ", "pod ", "logweir-"):
        named = {word for where, command in commands().items() if where.startswith(place) for word in command}
        assert set(sinks_to_deliver(routing)) <= named


# -- systemd --------------------------------------------------------------------------------------------


def verify(unit: Path, text: str, folder: Path) -> str:
    """What ``systemd-analyze verify`` has to say of a unit whose command exists."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("not run: systemd-analyze: it is not installed")
    # systemd looks whether the command is there, and nothing else of it can be here.
    path = folder / unit.name.replace("@", "@0")
    path.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={shutil.which('sh')}", text, flags=re.MULTILINE))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return f"{done.stderr}{done.returncode or ''}"


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_takes_a_unit(unit: Path, tmp_path: Path) -> None:
    assert verify(unit, unit.read_text(), tmp_path) == ""


def test_systemd_would_find_a_key_that_it_does_not_know(tmp_path: Path) -> None:
    unit = UNITS[0]
    assert "TimeoutStopSek" in verify(unit, unit.read_text().replace("StopSec", "StopSek"), tmp_path)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_drains_before_it_is_killed_and_claims_no_notification(
    unit: Path, routing: RoutingConfig
) -> None:
    keys = dict(re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.MULTILINE))
    assert float(keys["TimeoutStopSec"]) > 2 * routing.drain_timeout
    assert keys["Type"] == "exec"
    assert keys["RestartPreventExitStatus"] == "2"


# -- Kubernetes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_has_the_schemas_of_kubernetes(path: Path) -> None:
    for resource in yaml.safe_load_all(path.read_text()):
        if resource["kind"] != "ScaledObject":
            kubernetes_validate.validate(resource, KUBERNETES, strict=True)


def test_the_schemas_would_find_a_key_that_kubernetes_does_not_know() -> None:
    resource = next(each for each in resources() if each["kind"] == "Deployment")
    resource["spec"]["template"]["spec"]["terminationGracePeriod"] = 60
    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGracePeriod"):
        kubernetes_validate.validate(resource, KUBERNETES, strict=True)


def test_probes_ask_a_port_that_the_container_serves_to_the_kubelet() -> None:
    for pod in pods().values():
        assert pod["terminationGracePeriodSeconds"] == 60
        for container in pod["containers"]:
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            probes = [container[name]["httpGet"] for name in container if name.endswith("Probe")]
            assert probes
            assert {probe["path"] for probe in probes} <= {"/live", "/ready"}
            served = container.get("command", ["--metrics-port", "9464"])
            host = {each["name"]: each["value"] for each in container.get("env", ())}.get("METRICS_HOST")
            assert "--metrics-host" in served or host == "0.0.0.0"
            assert {str(ports[probe["port"]]) for probe in probes} == {
                served[served.index("--metrics-port") + 1]
            }


def test_audit_waits_on_a_volume_that_outlives_its_pod() -> None:
    (application,) = (each["spec"] for each in resources() if each["kind"] == "StatefulSet")
    (claim,) = application["volumeClaimTemplates"]
    for container in application["template"]["spec"]["containers"]:
        mounted = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
        assert Path(environment()["DATA_DIR"]).is_relative_to(mounted[claim["metadata"]["name"]])


class Strict(BaseModel):
    """As strict as the definition of KEDA's own resource, whose schema no package brings."""

    model_config = ConfigDict(extra="forbid")


class Trigger(Strict):
    class Redis(Strict):
        address: str = Field(pattern=r"^[\w.-]+:\d+$")
        passwordFromEnv: str  # noqa: N815 - KEDA's name
        stream: str
        streamLength: str = Field(pattern=r"^\d+$")  # noqa: N815 - idem

    type: Literal["redis-streams"]
    metadata: Redis


class Scaling(Strict):
    class Target(Strict):
        name: str

    scaleTargetRef: Target  # noqa: N815 - idem
    minReplicaCount: int = Field(ge=1)  # noqa: N815 - idem
    maxReplicaCount: int  # noqa: N815 - idem
    pollingInterval: int  # noqa: N815 - idem
    cooldownPeriod: int  # noqa: N815 - idem
    advanced: dict[Literal["horizontalPodAutoscalerConfig"], dict[Literal["behavior"], Any]]
    triggers: list[Trigger]


def test_the_autoscaling_reads_every_stream_that_the_broker_has(routing: RoutingConfig) -> None:
    (resource,) = (each for each in resources() if each["kind"] == "ScaledObject")
    assert resource["apiVersion"] == "keda.sh/v1alpha1"
    scaling = Scaling.model_validate(resource["spec"])
    name = scaling.scaleTargetRef.name
    (command,) = (each["command"] for each in pods()[name]["containers"])
    sink = command[command.index("--sink") + 1]
    queue = routing.sinks[sink].queue
    broker = RedisBroker(queue, place_of(routing.sinks[sink].type, context_of(sink, routing)))
    assert [trigger.metadata.stream for trigger in scaling.triggers] == broker.streams
    assert {trigger.metadata.passwordFromEnv for trigger in scaling.triggers} <= environment().keys()
    (by_cpu,) = (each["spec"] for each in resources() if each["kind"] == "HorizontalPodAutoscaler")
    assert by_cpu["scaleTargetRef"]["name"] == name


def test_a_trigger_with_an_unknown_key_is_found() -> None:
    with pytest.raises(ValidationError, match="lenght"):
        Trigger.Redis.model_validate({"lenght": "1"})
