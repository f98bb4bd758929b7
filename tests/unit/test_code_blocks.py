"""Every code block of the documentation is at least valid, and what no test runs is listed with the reason."""

import ast
import contextlib
import functools
import json
import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
import yaml

from logweir.cli.app import app
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.sinks.contract import SinkConfig
from support.code_blocks import (
    NAMES_CODE,
    NOT_RUN,
    OTHER_YAML,
    PARSED,
    PARTS,
    ROOT,
    RUN,
    RUN_AS_A_WHOLE,
    Block,
    blocks,
    commands,
)

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
KEYS = {field.alias or name for name, field in RoutingConfig.model_fields.items()}
SINK_KEYS = set(SinkConfig.model_fields)
#: What typer raises for words that it does not know.
USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]
#: What may stand between commands, or before one.
SHELL = {"|", "&&", "||", ";", "&", "<", ">", ">>"}


@functools.cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((REFERENCE / name).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("block", blocks("python", "py"), ids=str)
def test_python_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_yaml_is_what_the_loader_takes(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if (block.page, block.text.splitlines()[0]) in OTHER_YAML:
        return
    part = yaml.safe_load(block.text)
    if "cases" in part:
        validator("routes-test.schema.json").validate(part)
        return
    assert set(part) <= KEYS or set(part) <= SINK_KEYS, (
        "no part of routing.yaml; name its reader in OTHER_YAML"
    )
    whole = completed(part)
    validator("routing.schema.json").validate(whole)
    if block.page in NAMES_CODE:
        return
    for name in re.findall(r"\$\{(\w+)\}", block.text):
        monkeypatch.setenv(name, "value-of-a-variable")
    for name in re.findall(r"\$\{file:([^}]+)\}", block.text):
        (tmp_path / Path(name).name).write_text("a secret that is long enough")
    text = re.sub(
        r"\$\{file:[^}]*/([^}/]+)\}", rf"${{file:{tmp_path}/\1}}", yaml.safe_dump(whole, sort_keys=False)
    )
    (tmp_path / "routing.yaml").write_text(text)
    load_config(tmp_path / "routing.yaml")


def completed(part: dict[str, Any]) -> dict[str, Any]:
    """The least routing file that has a part in it."""
    if set(part) <= SINK_KEYS and not set(part) & KEYS:
        part = {"sinks": {"one": {"type": "sqlite", **part}}}
    if "sinks" not in part:
        targets = [route["to"] for route in part.get("routes", ())] or ["one"]
        names = {name for to in targets for name in ([to] if isinstance(to, str) else to)}
        part = {**part, "sinks": {name: {"type": "sqlite"} for name in sorted(names)}}
    if "routes" not in part and "strategy" not in part:
        part = {**part, "routes": [{"name": "all", "to": list(part["sinks"])}]}
    return part


def words_of(command: str) -> list[list[str]]:
    """The words of each command of a line, without comments and redirections."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in lexer:
        if word in SHELL:
            if word.startswith(">") and found[-1] and found[-1][-1] in {"1", "2"}:
                found[-1].pop()  # as in ``2> file``
            found.append([])
        else:
            found[-1].append(word)
    return [words for words in found if words]


CONSOLE = [(str(block), command) for block in blocks("console") for command in commands(block)]


@pytest.mark.parametrize(("place", "command"), CONSOLE)
def test_a_command_of_logweir_parses(place: str, command: str) -> None:
    for words in words_of(command):
        while words and re.match(r"\w+=", words[0]):
            words.pop(0)
        if words and words[0] == "logweir":
            with contextlib.suppress(typer.Exit):  # after --version
                parse(words[1:])


def parse(words: list[str]) -> None:
    """Let the command line read the words down to the last command, whose function is not called."""
    command = typer.main.get_command(app)
    context = command.make_context("logweir", list(words))
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)


def test_a_command_that_does_not_exist_does_not_parse() -> None:
    for words in (["nothing"], ["check", "--nothing"], ["dlq", "list", "--limit", "many"], ["trace"]):
        with pytest.raises(USAGE_ERROR):
            parse(words)


def test_what_is_not_run_is_listed_with_its_reason() -> None:
    unlisted = {
        f"{place}: {command}"
        for place, command in CONSOLE
        if not re.match(r"(\w+=\S+ )*logweir\b", command)
        and place.partition(":")[0] not in RUN_AS_A_WHOLE
        and not re.sub(r"^(\w+=\S+ )+", "", command).startswith(tuple(NOT_RUN))
    }
    assert not unlisted, "run it in a test, or name it in NOT_RUN with the reason"
    assert all(reason.startswith("not run: ") for reason in NOT_RUN.values())


def test_every_page_with_commands_of_logweir_is_run_by_a_test_or_listed() -> None:
    pages = {
        place.partition(":")[0] for place, command in CONSOLE if re.search(r"(^|[ |])logweir [a-z-]", command)
    }
    assert pages - {*RUN, *PARSED} == set(), "name it in RUN with its test, or in PARSED with the reason"
    assert {*RUN, *PARSED} - pages - RUN_AS_A_WHOLE == set(), "has no such commands any more"
    assert not {*RUN} & {*PARSED}
    for page, test in RUN.items():
        assert Path(page).name in (ROOT / test).read_text(encoding="utf-8"), page


def test_every_page_with_parts_of_programs_is_listed() -> None:
    pages = {block.page for block in blocks("py")} - {"docs/how-to/archive.md"}  # whose part its test runs
    assert pages == set(PARTS)


@pytest.mark.parametrize("reason", [*PARSED.values(), *PARTS.values()])
def test_the_test_that_a_reason_names_exists(reason: str) -> None:
    assert reason.startswith("not run: ")
    assert all((ROOT / name).exists() for name in re.findall(r"tests/[\w/.]+\w", reason))
