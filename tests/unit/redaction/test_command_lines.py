"""Secrets on command lines."""

import pytest

from logweir.redaction.texts import mask_assignments
from support.secrecies import a_scan


def _masked(text):
    return mask_assignments(text, a_scan())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mysql -u root -pS db", "mysql -u root -p*** db"),
        ("mysqldump --password S -h x", "mysqldump --password *** -h x"),
        ("mysql -u root -p S -h h", "mysql -u root -p *** -h h"),
        ("['mysql', '-u', 'root', '-pS', 'db']", "['mysql', '-u', 'root', '-p***', 'db']"),
        ("['mysql', '--password', 'S', 'db']", "['mysql', '--password', '***', 'db']"),
        ("curl -u user:S https://x", "curl -u user:*** https://x"),
        ("curl -u 'user:S x' https://x", "curl -u 'user:***' https://x"),
        ("curl --user user:S https://x", "curl --user user:*** https://x"),
        ("redis-cli -h x -a S ping", "redis-cli -h x -a *** ping"),
        ("sshpass -p S ssh x", "sshpass -p *** ssh x"),
        ("docker login -u u -p S host", "docker login -u u -p *** host"),
        ("PGPASSWORD=S psql -h x", "PGPASSWORD=S psql -h x"),
        ("the --password option is required", "the --password option is required"),
        ("use --password or -p", "use --password or -p"),
        ("machine h login u password S\nmachine h2", "machine h login u password ***\nmachine h2"),
        ('ConvertTo-SecureString "S" -AsPlainText', 'ConvertTo-SecureString "***" -AsPlainText'),
    ],
)  # fmt: skip
def test_an_option_gives_its_value_away_by_its_name_or_its_program(text, expected):
    assert _masked(text) == expected
    assert _masked(expected) == expected


@pytest.mark.parametrize("command", ["htpasswd -b .htpasswd bob", "vault login"])
def test_a_secret_that_ends_its_line_is_masked_whatever_the_next_line_says(command):
    assert _masked(f"{command} hunter2\nnext line") == f"{command} ***\nnext line"
