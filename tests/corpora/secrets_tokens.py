"""Tokens and keys that are known by their shape alone, card numbers, codes, and names with their secret in every text."""

from __future__ import annotations

from collections.abc import Iterator

from corpora.cases import Logged, Shape, blocks, lines, structures
from corpora.tokens import TOKENS
from corpora.values import Values

__all__ = ["shapes"]

#: These have no shape of their own: they are a secret only below a name that says so.
_BY_NAME = {
    "azurestorage": "AccountKey", "azureclient": "client_secret", "terraform": "TFE_TOKEN", "okta": "OKTA_API_TOKEN",
    "mailchimp": "MAILCHIMP_API_KEY", "vaultold": "VAULT_TOKEN", "discordbot": "DISCORD_TOKEN", "intercom": "intercomToken",
    "crates": "CARGO_REGISTRY_TOKEN", "airtable": "airtable_pat_token", "facebook": "page_access_token", "bitbucket": "app_password",
    "twilio": "twilio_api_key_secret", "artifactory": "ARTIFACTORY_API_KEY", "square": "square_access_token", "cloudflare": "CF_API_TOKEN",
    "awssession": "AWS_SESSION_TOKEN", "grafanacloud": "GRAFANA_TOKEN", "fly": "FLY_API_TOKEN",
}  # fmt: skip

_FRAMES = (
    "the client answered 401 for «!user» with {}",
    "invalid credential '{}' (request 17)",
    "using {} for «!host»",
    '["{}", "«!host»"]',
)


def _tokens() -> Iterator[Shape]:
    for number, kind in enumerate(TOKENS):
        if kind in _BY_NAME:
            yield from structures(
                "tokens",
                [(f"token-{kind}-named", "its issuer", {_BY_NAME[kind]: f"«{kind}»", "host": "«!host»"})],
            )
            continue
        yield from lines(
            "tokens", f"token-{kind}-text | its issuer | {_FRAMES[number % len(_FRAMES)].format(f'«{kind}»')}"
        )
        where = ({"value": f"«{kind}»"}, {"items": ["a", f"«{kind}»"]}, {"result": {"x": f"«{kind}»"}})[
            number % 3
        ]
        yield from structures("tokens", [(f"token-{kind}-field", "its issuer", where)])


_PEM = r"""
## pem-rsa | a key file in an error
-----BEGIN RSA PRIVATE KEY-----
«pem»
-----END RSA PRIVATE KEY-----
## pem-pkcs8 | cryptography: Could not deserialize key data
ValueError: could not deserialize: -----BEGIN PRIVATE KEY-----
«pem»
-----END PRIVATE KEY-----
## pem-encrypted | a key file with a header
-----BEGIN RSA PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-256-CBC,8F5A1C2B

«pem»
-----END RSA PRIVATE KEY-----
## pem-openssh | ssh-keygen
-----BEGIN OPENSSH PRIVATE KEY-----
«pem»
-----END OPENSSH PRIVATE KEY-----
## pem-ec | openssl ecparam
-----BEGIN EC PRIVATE KEY-----
«pem»
-----END EC PRIVATE KEY-----
## pem-pgp | gpg --export-secret-keys
-----BEGIN PGP PRIVATE KEY BLOCK-----

«pem»
-----END PGP PRIVATE KEY BLOCK-----
## pem-escaped | a key in an environment variable
PRIVATE_KEY="-----BEGIN PRIVATE KEY-----\n«pem|nl»\n-----END PRIVATE KEY-----\n"
## pem-cut | a key that is cut at the end
-----BEGIN PRIVATE KEY-----
«pem»
## pem-indented | a key in a YAML document
    tls.key: |
      -----BEGIN EC PRIVATE KEY-----
      «pem»
      -----END EC PRIVATE KEY-----
## putty | PuTTY's key
PuTTY-User-Key-File-3: ssh-ed25519
Encryption: none
Comment: laptop
Private-Lines: 1
«base64»
Private-MAC: «hex64»
"""

_CODES = (
    ("code-cvv", "a payment form", {"cvv": "«cvv»", "brand": "visa"}),
    ("code-cvc", "a payment form", {"card": {"cvc": "«cvv»", "exp_month": 12}}),
    ("code-security-code", "a payment form", {"cardSecurityCode": "«cvv»"}),
    ("code-pin", "a bank", {"pin": "«pin»", "branch": "north"}),
    ("code-new-pin", "a bank", {"new_pin": "«pin»"}),
    ("code-otp", "a two-factor login", {"user": "«!user»", "otp": "«otp»"}),
    ("code-totp-code", "a two-factor login", {"totp_code": "«otp»"}),
    ("code-mfa-code", "boto3: TokenCode", {"mfaCode": "«otp»"}),
    ("code-verification", "an SMS service", {"verification_code": "«otp»", "to": "«!user»"}),
    ("code-recovery", "GitHub's recovery codes", {"recovery_codes": ["«recovery:a»", "«recovery:b»"]}),
    ("code-backup", "two-factor backup codes", {"backupCodes": ["«recovery:a»", "«recovery:b»"]}),
    ("code-ssn", "a form of the United States", {"ssn": "«ssn»", "city": "Bern"}),
    ("code-social-security", "a form of the United States", {"social_security_number": "«ssn»"}),
    ("code-card-number-named", "a payment form", {"card_number": "«visa»"}),
    ("code-pan", "a payment switch", {"pan": "«mastercard»"}),
    ("code-track2", "a card terminal", {"track2": "«visa»=31122010000000000"}),
)  # fmt: skip

_GROUPINGS = {
    "plain": lambda card: card,
    "blanks": lambda card: " ".join(card[at : at + 4] for at in range(0, len(card), 4)),
    "dashes": lambda card: "-".join(card[at : at + 4] for at in range(0, len(card), 4)),
    "nbsp": lambda card: "\u00a0".join(card[at : at + 4] for at in range(0, len(card), 4)),
    "narrow": lambda card: "\u202f".join(card[at : at + 4] for at in range(0, len(card), 4)),
    "dots": lambda card: ".".join(card[at : at + 4] for at in range(0, len(card), 4)),
    "underscores": lambda card: "_".join(card[at : at + 4] for at in range(0, len(card), 4)),
    "amex": lambda card: f"{card[:4]} {card[4:10]} {card[10:]}",
    "uneven": lambda card: f"{card[:6]} {card[6:]}",
}
_CARDS = (
    ("visa", "plain"), ("visa", "blanks"), ("visa", "dashes"), ("visa", "nbsp"), ("visa", "narrow"), ("visa", "dots"), ("visa", "underscores"),
    ("mastercard", "plain"), ("mastercard", "blanks"), ("mastercard", "dashes"), ("amex", "plain"), ("amex", "amex"), ("diners", "plain"),
    ("discover", "blanks"), ("jcb", "dashes"), ("maestro", "plain"), ("visa", "uneven"),
)  # fmt: skip
_CARD_TEXTS = (
    "payment declined for {} of «!user»",
    "card={};amount=12.50",
    '{{"number": "{}", "exp": "12/31"}}',
    "gateway: do not honor [{}]",
)


def _card(kind: str, grouping: str, form: str, text: str, values: Values) -> Logged:
    card = values(kind)
    grouped = _GROUPINGS[grouping](card)
    values.mark(grouped)
    if form == "text":
        return Logged(event=values.fill(text).replace("{{", "{").replace("}}", "}").replace("{}", grouped))
    return Logged(
        event="payment.declined", fields={"order": {"paid_with": grouped if form == "field" else int(card)}}
    )


def _cards() -> Iterator[Shape]:
    for number, (kind, grouping) in enumerate(_CARDS):
        for form in ("text", "field") + (("int",) if grouping == "plain" else ()):

            def build(
                values: Values, parts: tuple[str, ...] = (kind, grouping, form, _CARD_TEXTS[number % 4])
            ) -> Logged:
                return _card(*parts, values)  # type: ignore[arg-type, call-arg]

            yield Shape(f"card-{kind}-{grouping}-{form}", "cards", "a payment service", build)


#: Names of secrets in every style, each with the kind of its value.
_NAMES = {
    "password": "strong", "Password": "strong", "PASSWORD": "password", "passwd": "password", "userPassword": "strong",
    "user_password": "password", "user-password": "password", "db.password": "strong", "password_confirmation": "strong", "oldPassword": "password",
    "passwordHash": "hex64", "secret": "token", "client_secret": "opaque", "clientSecret": "opaque", "ClientSecret": "opaque", "client-secret": "token",
    "SECRET_KEY": "opaque", "secretKey": "token", "sharedSecret": "base64", "webhook_secret": "token", "api_key": "hex32", "apiKey": "hex32",
    "APIKey": "token", "api-key": "token", "x-api-key": "token", "apikey": "alnum", "API_SECRET": "token", "access_key": "token",
    "accessToken": "opaque", "access_token": "opaque", "refreshToken": "opaque", "id_token": "jwt", "auth_token": "hex40", "authToken": "token",
    "bearerToken": "opaque", "csrf_token": "token", "csrfToken": "token", "sessionToken": "opaque", "session_id": "token", "private_key": "base88",
    "privateKey": "base88", "encryption_key": "base64", "passphrase": "passphrase", "credentials": "base64", "jwt": "jwt", "authorization": "opaque",
    "GITHUB_TOKEN": "githubapp", "STRIPE_API_KEY": "stripetest", "AWS_SECRET_ACCESS_KEY": "awssecret", "aws.secretAccessKey": "awssecret",
    "DB_PASS": "password", "smtp_pwd": "password", "pass_phrase": "passphrase", "SSHPASS": "password", "master_key": "base64",
    "otp_secret": "base32", "hmac_key": "hex64", "consumer_secret": "opaque", "deploy_token": "gitlabdeploy", "keystorePassword": "password",
}  # fmt: skip
#: How a name and its value stand in a text.
_TEXTS = {
    "equals": "start {name}={value} ok", "colon": "{name}: {value}", "quoted": "{name}='{value}'", "spaced": '{name} = "{value}"',
    "json": '{{"{name}": "{value}", "a": 1}}', "repr": "{{'a': 1, '{name}': '{value}'}}", "arrow": '"{name}"=>"{value}", a=>1',
    "escaped": '{{\\"{name}\\":\\"{value}\\",\\"a\\":1}}', "xml": "<{name}>{value}</{name}>", "call": "Config(host='h', {name}='{value}')",
    "option": "run --{name} {value} --verbose", "query": "/x?a=1&{name}={value}&b=2", "brackets": "settings[{name}] = {value}",
    "yaml": "a: 1\n{name}: {value}\nb: 2",
}  # fmt: skip


def _named(name: str, kind: str, form: str, values: Values) -> Logged:
    if form == "field":
        return Logged(event="client.made", fields={name: values(kind), "host": values("host", keep=True)})
    if form == "deep":
        return Logged(
            event="client.made",
            fields={"items": [{"options": {name: values(kind), "host": values("host", keep=True)}}]},
        )
    return Logged(
        event=_TEXTS[form].format(name=name, value=values(kind, encoding="url" if form == "query" else ""))
    )


def _combined() -> Iterator[Shape]:
    forms = list(_TEXTS)
    for number, (name, kind) in enumerate(_NAMES.items()):
        shift = number // len(forms)
        for form in (
            "deep" if number % 2 else "field",
            forms[(number + shift) % len(forms)],
            forms[(number + shift + 5) % len(forms)],
        ):

            def build(values: Values, parts: tuple[str, str, str] = (name, kind, form)) -> Logged:
                return _named(*parts, values)

            yield Shape(f"name-{name}-{form}", "names", "a service's settings", build)


def shapes() -> Iterator[Shape]:
    """Yield the shapes of tokens, keys, cards, codes and names."""
    yield from _tokens()
    yield from blocks("keys", _PEM)
    yield from structures("codes", _CODES)
    yield from _cards()
    yield from _combined()
