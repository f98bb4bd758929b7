"""Elasticsearch: the real server's core and HTTP transport, from its Maven packages."""

from pathlib import Path
from typing import ClassVar

from servers import machine
from servers.guard import Guard
from servers.kinds import readiness
from servers.kinds.contract import Options, ServerKind
from servers.kinds.java import java, learn_classes, quick_start
from servers.server import Program

_HEAP = "768m"


class Elasticsearch(ServerKind):
    """One node, without security, ILM, data streams, scripting."""

    name: ClassVar[str] = "elasticsearch"

    def prepare(self) -> str:
        """As in ServerKind."""
        machine.need(
            {"javac": "default-jdk-headless", "mvn": "maven", "unzip": "unzip", "cmp": "diffutils"},
            files={"*-linux-gnu/libzstd.so.1": "libzstd1"},
        )
        directory = machine.recipe(self.name, "elasticsearch/setup.sh")
        jar = next((directory / "lib").glob("elasticsearch-[0-9]*.jar"))
        return jar.stem.replace("elasticsearch-", "Elasticsearch ")

    def initialise(self, data: Path, guard: Guard) -> None:
        """As in ServerKind."""
        learn_classes(self, data, guard)

    def programs(self, data: Path, port: int, options: Options) -> list[Program]:
        """As in ServerKind."""
        home = machine.cache_directory(self.name)
        argv = [
            java(), f"-Xms{_HEAP}", f"-Xmx{_HEAP}",
            *(quick_start(self.name) if options.brief else ()),
            f"-Des.nativelibs.path={home}/home/nativelibs", "-cp", f"{home}/EsServer.jar:{home}/lib/*", "EsServer",
            f"{home}/home", str(data), str(port), *options.args,
        ]  # fmt: skip
        return [Program(argv, lambda: readiness.http(port, "/_cluster/health"))]

    def url(self, port: int, options: Options) -> str:
        """As in ServerKind."""
        return f"http://127.0.0.1:{port}"
