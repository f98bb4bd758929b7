"""Values in texts about SQL."""

import pytest

from logweir.redaction.redactor import Redactor
from logweir.redaction.sql_parameters import mask_sql_parameters
from logweir.redaction.texts import mask_assignments
from support.secrecies import a_scan


def _masked(text):
    return mask_assignments(mask_sql_parameters(text, a_scan()), a_scan())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[parameters: {'name': 'bob', 'password': 'S'}]", "[parameters: {'name': 'bob', 'password': '***'}]"),
        ("[parameters: [('a', 'S'), ('b', 'S2')]]", "[parameters: ***]"),
        ("[parameters: [('a', 'S)]'), ('b', 'S2')  ... displaying 10 of 100 total bound parameter sets ...  ('x', 'y')]]\n(Background", "[parameters: ***]\n(Background"),
        ("[parameters: [{'name': 'a', 'password': 'S'}, {'name': 'b', 'password': 'T'}]]", "[parameters: [{'name': 'a', 'password': '***'}, {'name': 'b', 'password': '***'}]]"),
        ("DETAIL:  Failing row contains (1, bob, S, null).", "DETAIL:  Failing row contains ***."),
        ("DETAIL:  Key (email)=(a@b) already exists. Key (password)=(S S) exists.", "DETAIL:  Key (email)=(a@b) already exists. Key (password)=*** exists."),
        ("Duplicate entry 'S' for key 'users.api_token'", "Duplicate entry '***' for key 'users.api_token'"),
        ("Duplicate entry 'a@b' for key 'users.email'", "Duplicate entry 'a@b' for key 'users.email'"),
        ("CREATE USER 'u'@'h' IDENTIFIED BY 'S'; ALTER ROLE x PASSWORD 'S'; SET PASSWORD FOR 'u'@'h' = 'S'; SET password = 'S'", "CREATE USER 'u'@'h' IDENTIFIED BY '***'; ALTER ROLE x PASSWORD '***'; SET PASSWORD FOR 'u'@'h' = '***'; SET password = '***'"),
        ("INSERT INTO users (id, name, password) VALUES (1, 'bob', 'S''x'), (2, 'al, (x)', 'T')", "INSERT INTO users (id, name, password) VALUES (1, 'bob', '***'), (2, 'al, (x)', '***')"),
        ("-p S", "-p S"),
        ("('INSERT INTO u VALUES (%s, %s)', ('bob', 'S'))", "('INSERT INTO u VALUES (%s, %s)', ***)"),
        ("(0.001) SELECT 1 FROM u WHERE p=%s; args=('S',); alias=default", "(0.001) SELECT 1 FROM u WHERE p=%s; args=***; alias=default"),
        ("task foo(args=(1, 2))", "task foo(args=(1, 2))"),
    ],
)  # fmt: skip
def test_parameters_rows_and_passwords_of_statements_are_masked(text, expected):
    assert _masked(text) == expected
    assert _masked(expected) == expected


def test_arguments_behind_a_statement_are_seen_where_they_hold_no_text():
    assert (
        Redactor().redact_text('"SELECT a FROM b WHERE c = ?", (4711,)')
        == '"SELECT a FROM b WHERE c = ?", ***'
    )
