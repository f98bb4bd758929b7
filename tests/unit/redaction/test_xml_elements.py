"""Secrets in XML and HTML."""

import pytest

from logweir.redaction.texts import mask_assignments
from support.secrecies import a_scan


def _masked(text):
    return mask_assignments(text, a_scan())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<password>S</password><user>bob</user>", "<password>***</password><user>bob</user>"),
        ('<wsse:Password Type="x#y">S</wsse:Password>', '<wsse:Password Type="x#y">***</wsse:Password>'),
        ('<Password Value="S"/> <add key="Password" value="S"/>', '<Password Value="***"/> <add key="Password" value="***"/>'),
        ('<property name="password">S</property>', '<property name="password">***</property>'),
        ("<name>db.password</name>\n  <value>S</value>", "<name>db.password</name>\n  <value>***</value>"),
        ("<key>Password</key>\n<string>S</string>", "<key>Password</key>\n<string>***</string>"),
        ("<td>API key:</td><td>S</td>", "<td>API key:</td><td>***</td>"),
        ("&lt;password&gt;S&lt;/password&gt;", "&lt;password&gt;***&lt;/password&gt;"),
        ("<password><![CDATA[S]]></password>", "<password><![CDATA[***]]></password>"),
        ("usage: login <user> <password> [--force]", "usage: login <user> <password> [--force]"),
    ],
)  # fmt: skip
def test_the_text_and_the_value_of_a_secret_element_are_masked(text, expected):
    assert _masked(text) == expected
    assert _masked(expected) == expected
