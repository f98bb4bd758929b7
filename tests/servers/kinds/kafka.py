"""Apache Kafka: the real broker, from its Maven packages; controller and broker in one process."""

from pathlib import Path
from typing import ClassVar

from servers import machine
from servers.guard import Guard
from servers.kinds import readiness
from servers.kinds.contract import Options, ServerKind
from servers.kinds.java import java, learn_classes, quick_start
from servers.server import Program

_HEAP = "512m"
_LOGIN = "org.apache.kafka.common.security"
_AUTH = (
    "listener.name.client.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256",
    f'listener.name.client.plain.sasl.jaas.config={_LOGIN}.plain.PlainLoginModule required user_u="p";',
    f"listener.name.client.scram-sha-256.sasl.jaas.config={_LOGIN}.scram.ScramLoginModule required;",
)
_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=INTERNAL
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=2097152
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
initial.broker.registration.timeout.ms=60000
"""


class Kafka(ServerKind):
    """One node, which creates no topic by itself; with ``auth`` clients log in by PLAIN or SCRAM-SHA-256.

    Arguments are settings, ``name=value``. Each ``via=PORT:ADVERTISED`` adds a listener on a port that sends its
    clients to another one, where a proxy may be.
    """

    name: ClassVar[str] = "kafka"
    abilities: ClassVar[frozenset[str]] = frozenset({"auth"})

    def prepare(self) -> str:
        """As in ServerKind."""
        machine.need({"java": "default-jre-headless", "mvn": "maven", "cmp": "diffutils"})
        directory = machine.recipe(self.name, "kafka/setup.sh")
        jar = next((directory / "lib").glob("kafka_2.13-*.jar"))
        return jar.stem.replace("kafka_2.13-", "Apache Kafka ")

    def initialise(self, data: Path, guard: Guard) -> None:
        """As in ServerKind."""
        settings = data / "server.properties"
        settings.write_text(
            "".join(f"{line}\n" for line in self._settings(data, 9092, 9093, 9094, Options()))
        )
        machine.run(
            [
                *self._java(*quick_start(self.name)), "kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAA",
                "--add-scram", "SCRAM-SHA-256=[name=u,password=p]", "-c", str(settings),
            ]
        )  # fmt: skip
        learn_classes(self, data, guard)

    def programs(self, data: Path, port: int, options: Options) -> list[Program]:
        """As in ServerKind."""
        internal, controller = machine.free_port(), machine.free_port()
        settings = data / "server.properties"
        lines = self._settings(data, port, internal, controller, options)
        settings.write_text("".join(f"{line}\n" for line in lines))
        java = self._java(*(quick_start(self.name) if options.brief else ()))
        return [Program([*java, "kafka.Kafka", str(settings)], lambda: readiness.kafka(internal))]

    @staticmethod
    def _settings(data: Path, port: int, internal: int, controller: int, options: Options) -> list[str]:
        """The lines of server.properties; a later one counts."""
        listeners = {"CLIENT": (port, port), "INTERNAL": (internal, internal)}
        more = []
        for argument in options.args:
            if argument.startswith("via="):
                own, advertised = argument.removeprefix("via=").split(":")
                listeners[f"VIA{len(listeners)}"] = (int(own), int(advertised))
            else:
                more.append(argument)
        here = "127.0.0.1"
        bound = [f"{name}://{here}:{own}" for name, (own, _) in listeners.items()]
        advertised_clients = [f"{name}://{here}:{advertised}" for name, (_, advertised) in listeners.items()]
        protocols = dict.fromkeys([*listeners, "CONTROLLER"], "PLAINTEXT")
        if options.auth:
            protocols["CLIENT"] = "SASL_PLAINTEXT"
        return [
            *_SETTINGS.splitlines(),
            f"log.dirs={data}/logs",
            f"controller.quorum.voters=1@{here}:{controller}",
            f"listeners={','.join([*bound, f'CONTROLLER://{here}:{controller}'])}",
            f"advertised.listeners={','.join(advertised_clients)}",
            f"listener.security.protocol.map={','.join(f'{name}:{kind}' for name, kind in protocols.items())}",
            *(_AUTH if options.auth else ()),
            *more,
        ]

    def url(self, port: int, options: Options) -> str:
        """As in ServerKind."""
        return f"kafka://127.0.0.1:{port}"

    @staticmethod
    def _java(*options: str) -> list[str]:
        lib = machine.cache_directory("kafka") / "lib"
        log = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        return [java(), f"-Xmx{_HEAP}", *options, log, "-cp", f"{lib}/*"]
