"""Names and values in texts that no sign joins."""

import pytest

from logweir.redaction.texts import mask_assignments
from support.secrecies import a_scan


def _masked(text):
    return mask_assignments(text, a_scan())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("('Authorization', 'S')", "('Authorization', '***')"),
        ('[["password","S"], ["user","bob"]]', '[["password","***"], ["user","bob"]]'),
        ("[(b'authorization', b'S1'), (b'host', b'x')]", "[(b'authorization', b'***'), (b'host', b'x')]"),
        ("missing fields: ['password', 'token']", "missing fields: ['password', 'token']"),
        ("columns ('id', 'password', 'email')", "columns ('id', 'password', 'email')"),
        ('{"name": "Authorization", "value": "S"}', '{"name": "Authorization", "value": "***"}'),
        ('{"value": "S", "name": "password"}', '{"value": "***", "name": "password"}'),
        ("{'Key': 'password', 'Value': 'S'}", "{'Key': 'password', 'Value': '***'}"),
        ('name="x-api-key" value="S"', 'name="x-api-key" value="***"'),
        ('<input type="password" name="password" id="p" value="S">', '<input type="password" name="password" id="p" value="***">'),
        ("- name: PASSWORD\n  value: S\n- name: X\n  value: y", "- name: PASSWORD\n  value: ***\n- name: X\n  value: y"),
        ('{"name": "alice", "value": "S"}', '{"name": "alice", "value": "S"}'),
        ('{"key":"db_password","type":"string","value":"S"}', '{"key":"db_password","type":"string","value":"***"}'),
        ('{"a": "[{\\"name\\": \\"password\\", \\"value\\": \\"S\\"}]"}', '{"a": "[{\\"name\\": \\"password\\", \\"value\\": \\"***\\"}]"}'),
        ("{'option': 'password', 'raw': 'S'}", "{'option': 'password', 'raw': '***'}"),
        ("{'setting': 'token', 'data': 'S1'}", "{'setting': 'token', 'data': '***'}"),
        ("{'key': 'api_key', 'value': {'stringValue': 'S1'}}, {'key': 'a', 'value': 1}", "{'key': 'api_key', 'value': ***}, {'key': 'a', 'value': 1}"),
        ("{'op': 'add', 'path': '/auth/token', 'value': 'S1'}", "{'op': 'add', 'path': '/auth/token', 'value': '***'}"),
        ("{'field': 'password', 'fromString': 'S', 'toString': 'S2', 'by': 'bob'}", "{'field': 'password', 'fromString': '***', 'toString': '***', 'by': 'bob'}"),
        ('{"field": "password", "old": "S", "new": "S2"}, {"field": "a", "old": "b"}', '{"field": "password", "old": "***", "new": "***"}, {"field": "a", "old": "b"}'),
        ("field=password old=S new=S2 user=bob", "field=password old=*** new=*** user=bob"),
        ("'- name: DB_PASSWORD\\n  value: S1\\nname: X'", "'- name: DB_PASSWORD\\n  value: ***\\nname: X'"),
        ("GET path=/api/token value=17", "GET path=/api/token value=17"),
        ("{'type': 'x', 'loc': ('body', 'password'), 'msg': 'short', 'input': 'S', 'ctx': {}}", "{'type': 'x', 'loc': ('body', 'password'), 'msg': 'short', 'input': '***', 'ctx': {}}"),
        ('[{"loc":["body","user","password"],"msg":"m","input":"S"}]', '[{"loc":["body","user","password"],"msg":"m","input":"***"}]'),
        ("1 validation error for User\npassword\n  String should have at least 8 characters [type=string_too_short, input_value='S', input_type=str]", "1 validation error for User\npassword\n  String should have at least 8 characters [type=string_too_short, input_value='***', input_type=str]"),
        ("2 validation errors for User\nuser.password\n  Bad [type=x, input_value='S', input_type=str]\nname\n  Bad [type=x, input_value='bob', input_type=str]", "2 validation errors for User\nuser.password\n  Bad [type=x, input_value='***', input_type=str]\nname\n  Bad [type=x, input_value='bob', input_type=str]"),
    ],
)  # fmt: skip
def test_r3_a_value_beside_its_name_is_masked_and_a_list_of_names_is_not(text, expected):
    assert _masked(text) == expected
    assert _masked(expected) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('--b\nContent-Disposition: form-data; name="password"\n\nS ecret\n--b\nContent-Disposition: form-data; name="user"\n\nbob\n--b--', '--b\nContent-Disposition: form-data; name="password"\n\n***\n--b\nContent-Disposition: form-data; name="user"\n\nbob\n--b--'),
        ('--b\\r\\nContent-Disposition: form-data; name=\\"password\\"\\r\\nContent-Type: text/plain\\r\\n\\r\\nS\\r\\n--b--', '--b\\r\\nContent-Disposition: form-data; name=\\"password\\"\\r\\nContent-Type: text/plain\\r\\n\\r\\n***\\r\\n--b--'),
    ],
)  # fmt: skip
def test_a_part_of_a_multipart_form_is_masked_up_to_its_boundary(text, expected):
    assert _masked(text) == expected
    assert _masked(expected) == expected
