"""The package itself: every public name is there, and is imported when it is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import logweir

SOURCE = ast.parse(Path(logweir.__file__ or "").read_text(encoding="utf-8"))


def in_a_new_process(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_what_type_checkers_read_is_what_is_imported() -> None:
    checked = {
        alias.name: node.module
        for branch in SOURCE.body
        if isinstance(branch, ast.If)
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert checked == logweir._HOME_OF
    assert sorted(logweir.__all__) == sorted(checked)


@pytest.mark.parametrize("name", logweir.__all__)
def test_each_name_is_the_one_of_its_module(name: str) -> None:
    home = sys.modules[logweir._HOME_OF[name]] if getattr(logweir, name) is not None else None

    assert getattr(logweir, name) is getattr(home, name)
    assert name in dir(logweir)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'logweir' has no attribute 'adit'"):
        logweir.adit  # noqa: B018


def test_importing_the_package_imports_nothing_else() -> None:
    loaded = "import sys, logweir; print(sorted(name for name in sys.modules if name.startswith(('logweir.', 'pydantic'))))"

    assert in_a_new_process(loaded) == "[]"


def test_an_application_without_frameworks_imports_none_of_them() -> None:
    program = (
        "import sys, logweir, logweir.context; from logweir.integrations.stdlib import install_stdlib;"
        "from logweir.integrations import asgi, wsgi; logweir.configure_structlog(); logweir.start;"
        "known = {'alembic', 'celery', 'django', 'fastapi', 'flask', 'multiprocessing', 'starlette'};"
        "print(sorted(known.intersection(sys.modules)))"
    )
    assert in_a_new_process(program) == "[]"


def test_who_starts_has_imported_what_is_used_on_event_loops() -> None:
    program = "import sys, logweir; logweir.start; print('logweir.auditing.audit' in sys.modules, 'audit' in vars(logweir))"

    assert in_a_new_process(program) == "True True"


def test_public_modules_are_attributes_and_all_names_are_found_by_a_star() -> None:
    program = "import logweir; logweir.errors, logweir.testing; exec('from logweir import *'); print(get_logger('x') is not None)"

    assert in_a_new_process(program) == "True"


def test_on_windows_the_import_fails_with_one_sentence_that_says_where_logweir_runs() -> None:
    program = "import sys; sys.platform = 'win32'; sys.modules['fcntl'] = None; import logweir"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    *_, last = done.stderr.splitlines()
    assert last.startswith("ImportError: logweir runs on Linux and macOS")
    assert "WSL 2" in last
    assert done.stderr.count("Traceback") == 1
