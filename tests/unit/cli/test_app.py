"""The command line as a person meets it: wrong input gives one clear message and exit code 2."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from logweir.cli import app as application
from logweir.errors import LogweirError

GOOD = """\
sinks:
  audit_db: {type: memory}
  logs: {type: "null"}
routes:
  - {name: audit, match: {kind: audit}, to: [audit_db]}
  - {name: rest, match: {kind: tracing}, to: [logs]}
"""
WRONG = {
    "an unknown key": (GOOD + "sevice: x\n", "7:1: sevice: unknown key 'sevice'; did you mean 'service'?"),
    "a wrong type": (GOOD + "service: [x]\n", "7:10: service: service must be text, not a list"),
    "an unknown sink": (
        GOOD.replace("memory", "memmory"),
        "2:20: sinks.audit_db.type: unknown sink type 'memmory'",
    ),
    "a duplicate sink": (
        GOOD.replace("routes:", "  logs: {type: memory}\nroutes:"),
        "4:3: sinks.logs: the key 'logs' is written twice",
    ),
    "a duplicate route": (
        GOOD.replace("name: rest", "name: audit"),
        "6:12: routes[1].name: two routes are named 'audit'",
    ),
    "an undeclared sink": (
        GOOD.replace("[logs]", "[lugs]"),
        "6:47: routes[1].to[0]: route 'rest' sends to 'lugs'",
    ),
    "an unreachable route": (
        GOOD + "  - {name: never, match: {}, to: [logs]}\n",
        "7:5: routes[2]: route 'never' is never reached: 'audit' and 'rest' take its events first",
    ),
    "a missing variable": (GOOD + "env: ${NOWHERE_SET}\n", "7:6: env: the variable NOWHERE_SET is not set"),
    "bad YAML": (GOOD + "  - {name: [\n", "8:1: not valid YAML"),
    "an empty file": ("", "the file is empty; `logweir init` writes one to begin with"),
    "a list": ("- a\n", "1:1: the file must be a mapping of keys, not a list"),
    "a dropping audit queue": (
        GOOD.replace("{type: memory}", "{type: memory, queue: {when_full: drop_oldest}}"),
        "when_full: drop_oldest would drop audit events of route 'audit'; use block",
    ),
}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(application.app, list(arguments))


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("command", [["check"], ["explain", '{"event": "x"}'], ["run", "-"]])
def test_a_wrong_file_gives_one_clear_message_and_exit_code_2(what: str, command: list[str]) -> None:
    text, message = WRONG[what]
    Path("routing.yaml").write_text(text)
    result = run(*command)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("logweir:") == 1
    assert len(result.stderr.splitlines()) == 1
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_several_problems_are_one_message() -> None:
    Path("routing.yaml").write_text(GOOD + "sevice: x\nenvv: y\n")
    result = run("check")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[0] == "logweir: 2 problems in the configuration:"
    assert [line.strip()[:18] for line in result.stderr.splitlines()[1:]] == [
        "routing.yaml:7:1: ",
        "routing.yaml:8:1: ",
    ]


@pytest.mark.parametrize("name", ["absent.yaml", ".", "binary"])
def test_a_file_that_cannot_be_read_gives_exit_code_2(name: str) -> None:
    Path("binary").write_bytes(b"\xff\xfe\x00")
    result = run("check", "-c", name)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"logweir: {name}: ")


def test_the_installed_command_ends_alike() -> None:
    Path("routing.yaml").write_text(GOOD + "sevice: x\n")
    command = [sys.executable, "-c", "from logweir.cli.app import main; main()", "check"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 2
    assert finished.stderr == (
        "logweir: routing.yaml:7:1: sevice: unknown key 'sevice'; did you mean 'service'?\n"
    )


def test_a_failed_run_gives_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_source: object) -> None:
        raise LogweirError("the run failed [here]")

    monkeypatch.setattr("logweir.cli.check.load_config", fail)
    result = run("check")
    assert (result.exit_code, result.stderr) == (1, "logweir: the run failed [here]\n")


def test_what_nobody_foresaw_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_source: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("logweir.cli.check.load_config", fail)
    monkeypatch.setattr(sys, "argv", ["logweir", "check"])
    with pytest.raises(SystemExit) as ended:
        application.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("logweir: unexpected ZeroDivisionError: oh; ")
    monkeypatch.setenv("LOGWEIR_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        application.main()


def test_importing_logweir_imports_neither_the_command_line_nor_a_driver() -> None:
    code = "import sys, logweir, logweir.config.loading; print([n for n in ('typer', 'sqlalchemy', 'logweir.cli.app') if n in sys.modules])"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"


def test_the_schema_leaves_out_what_has_no_driver_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("logweir.sinks.mongodb")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("logweir.sinks.mongodb", raising=False)  # and is put back with them
    monkeypatch.setitem(sys.modules, "pymongo", None)  # as where it is not installed
    done = CliRunner().invoke(application.app, ["schema"])
    assert done.exit_code == 0
    types = [
        variant["properties"]["type"].get("const")
        for variant in json.loads(done.stdout)["properties"]["sinks"]["additionalProperties"]["oneOf"]
    ]
    assert "memory" in types
    assert "mongodb" not in types
    assert "pip install 'logweir[mongodb]'" in done.stderr


@pytest.mark.parametrize("name", application.COMMANDS)
def test_the_list_of_commands_says_what_the_help_of_each_says(name: str) -> None:
    place, purpose = application.COMMANDS[name]

    assert application._imported(place).help.split("\n\n")[0].replace("\n", " ") == purpose


def test_the_list_of_commands_is_written_without_importing_them() -> None:
    program = (
        "import sys; sys.argv = ['logweir', '--help']\n"
        "from logweir.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: print(sorted(name for name in sys.modules if 'pydantic' in name or 'sqlalchemy' in name))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "explain" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "command", [[name] for name in application.COMMANDS] + [["dlq", "list"], ["bench", "run"]]
)
def test_every_command_has_a_short_option_for_its_help(command: list[str]) -> None:
    short, long = run(*command, "-h"), run(*command, "--help")
    assert (short.exit_code, short.stdout) == (0, long.stdout)


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version").stdout.split(",")[0] == f"logweir {version('logweir')}"


def test_a_shell_completes_commands_and_their_options() -> None:
    def complete(line: str) -> set[str]:
        environment = {
            **os.environ,
            "_LOGWEIR_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(line.count(" ")),
        }
        program = [
            sys.executable,
            "-c",
            "import sys; sys.argv = ['logweir']; from logweir.cli.app import main; main()",
        ]
        return set(
            subprocess.run(
                program, env=environment, capture_output=True, text=True, check=False
            ).stdout.split()
        )

    assert complete("logweir ver") == {"verify"}
    assert "--trace-id" in complete("logweir query --tr")


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    Path("routing.yaml").write_text(GOOD.replace("{type: memory}", "{type: file, path: a.jsonl}"))
    Path("a.log").write_text("".join(f'{{"event": "x", "kind": "audit", "n": {n}}}\n' for n in range(3_000)))
    assert run("run", "a.log").exit_code == 0
    command = [sys.executable, "-c", "from logweir.cli.app import main; main()", "query", "--limit", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert (process.wait(60), process.stderr.read()) == (0, "")


def test_a_connection_that_broke_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_source: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("logweir.cli.check.load_config", fail)
    result = run("check")
    assert (result.exit_code, result.stderr) == (1, "logweir: [Errno 32] Broken pipe\n")
