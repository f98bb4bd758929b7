"""Commands as lists of arguments: what the program takes for a secret is masked, in its place."""

import subprocess

import pytest

from logweir.capture.snapshot import Snapshotter
from logweir.redaction.redactor import Redactor

_snapshot = Snapshotter(Redactor())
_S = "hunter2-Zk9"


def _stored(value):
    return _snapshot({"x": value})[0]["x"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["mysql", "-u", "bob", f"-p{_S}", "shop"], ["mysql", "-u", "bob", "-p***", "shop"]),
        (("/usr/bin/mysqldump", f"-p{_S}"), ["/usr/bin/mysqldump", "-p***"]),
        (["sshpass", "-p", _S, "ssh", "bob@h"], ["sshpass", "-p", "***", "ssh", "bob@h"]),
        (["curl", "-u", f"bob:{_S}", "https://h"], ["curl", "-u", "bob:***", "https://h"]),
        (["curl", "-H", f"X-Api-Key: {_S}"], ["curl", "-H", "X-Api-Key: ***"]),
        (["redis-cli", "-a", f"{_S} 'x", "ping"], ["redis-cli", "-a", "***", "ping"]),
        (["mysql", "--password", _S], ["mysql", "--password", "***"]),
        (["vault", "login", _S], ["vault", "login", "***"]),
        (["htpasswd", "-b", "file", "bob", _S], ["htpasswd", "-b", "file", "bob", "***"]),
        (["mysql", "-e", "select 1"], ["mysql", "-e", "select 1"]),
        (["curl", "https://h/x"], ["curl", "https://h/x"]),
        (["curl", 5], ["curl", 5]),
        (["ls", "-pabc"], ["ls", "-pabc"]),
    ],
)
def test_r4_an_argument_that_its_program_takes_for_a_secret_is_masked(arguments, expected):
    assert _stored(arguments) == expected
    assert _stored({"argv": arguments}) == {"argv": expected}
    assert _stored(_stored(arguments)) == expected


def test_r4_the_command_of_a_failed_process_is_masked():
    error = subprocess.CalledProcessError(1, ["mysql", f"-p{_S}"])

    assert _S not in str(_stored([error, error.cmd, error.args]))


def test_the_rule_that_masks_an_argument_is_explained():
    stored, masked = _snapshot.explain({"argv": ["mysql", f"-p{_S}"]})

    assert stored == {"argv": ["mysql", "-p***"]}
    assert [(place.path, place.rule.partition(" ")[0]) for place in masked] == [("argv", "command:")]
