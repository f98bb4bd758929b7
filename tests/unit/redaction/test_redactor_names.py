"""What a redactor does with names beyond those that are built in: exemptions."""

from logweir.redaction.names import Secrecy
from logweir.redaction.redactor import Redactor


def test_an_exempt_name_is_harmless_in_any_spelling():
    redactor = Redactor(exempt=["client_secret"])

    assert redactor.secrecy("clientSecret") is Secrecy.HARMLESS
    assert not redactor.secrecy("Client-Secret")
    assert redactor.secrecy("secret")
    assert redactor.redact_text("client_secret=a secret=b") == "client_secret=a secret=***"
