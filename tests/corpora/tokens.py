"""Tokens in the shapes of those who issue them: what stands before the secret part, and that part."""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Callable
from random import Random

__all__ = ["TOKENS"]

_UPPER = string.ascii_uppercase
_LOWER = string.ascii_lowercase
_DIGITS = string.digits
_ALNUM = string.ascii_letters + _DIGITS
_HEX = _DIGITS + "abcdef"
_URL_SAFE = _ALNUM + "-_"
_BECH32 = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"

Maker = Callable[[Random], tuple[str, str]]


def _some(random: Random, alphabet: str, count: int) -> str:
    """Return random characters; the first is a letter or digit."""
    first = [character for character in alphabet if character.isalnum()]
    return random.choice(first) + "".join(random.choice(alphabet) for _ in range(count - 1))


def _behind(prefix: str, alphabet: str, count: int) -> Maker:
    return lambda random: (prefix, _some(random, alphabet, count))


def _part(data: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(data, separators=(",", ":")).encode()).decode().rstrip("=")


def _jwt(random: Random) -> tuple[str, str]:
    header = _part({"alg": "RS256", "typ": "JWT", "kid": _some(random, _HEX, 8)})
    claims = _part(
        {
            "sub": str(random.randint(10**6, 10**7)),
            "iss": "https://id.example",
            "exp": random.randint(10**9, 2 * 10**9),
        }
    )
    return header + ".", f"{claims}.{_some(random, _URL_SAFE, 86)}"


def _jwt_short(random: Random) -> tuple[str, str]:
    claims = _part({"uid": random.randint(1, 99_999), "iat": random.randint(10**9, 2 * 10**9)})
    return _part({"alg": "HS256"}) + ".", f"{claims}.{_some(random, _URL_SAFE, 43)}"


def _jwe(random: Random) -> tuple[str, str]:
    parts = ".".join(_some(random, _URL_SAFE, count) for count in (342, 16, 60, 22))
    return _part({"alg": "RSA-OAEP", "enc": "A256GCM"}) + ".", parts


def _slack(kind: str) -> Maker:
    def make(random: Random) -> tuple[str, str]:
        team, bot = (random.randint(10**11, 10**12 - 1) for _ in range(2))
        return f"{kind}-{team}-{bot}-", _some(random, _ALNUM, 24)

    return make


def _slack_app(random: Random) -> tuple[str, str]:
    return f"xapp-1-A0{_some(random, _UPPER + _DIGITS, 9)}-{random.randint(10**12, 10**13 - 1)}-", _some(
        random, _HEX, 64
    )


def _slack_hook(random: Random) -> tuple[str, str]:
    ids = _UPPER + _DIGITS
    return f"T{_some(random, ids, 8)}/B{_some(random, ids, 8)}/", _some(random, _ALNUM, 24)


def _telegram(random: Random) -> tuple[str, str]:
    return f"{random.randint(10**8, 10**10 - 1)}:", "AA" + _some(random, _URL_SAFE, 33)


def _discord_bot(random: Random) -> tuple[str, str]:
    user = base64.b64encode(str(random.randint(10**17, 10**18 - 1)).encode()).decode().rstrip("=")
    return f"{user}.", f"{_some(random, _ALNUM, 6)}.{_some(random, _URL_SAFE, 38)}"


def _two(first: str, alphabet: str, counts: tuple[int, int], between: str) -> Maker:
    """Make tokens whose secret is of two parts."""
    return lambda random: (first, between.join(_some(random, alphabet, count) for count in counts))


TOKENS: dict[str, Maker] = {
    "jwt": _jwt,
    "jwtshort": _jwt_short,
    "jwe": _jwe,
    "githubclassic": _behind("ghp_", _ALNUM, 36),
    "githuboauth": _behind("gho_", _ALNUM, 36),
    "githubuser": _behind("ghu_", _ALNUM, 36),
    "githubapp": _behind("ghs_", _ALNUM, 36),
    "githubrefresh": _behind("ghr_", _ALNUM, 76),
    "githubfine": _two("github_pat_", _ALNUM, (22, 59), "_"),
    "gitlab": _behind("glpat-", _URL_SAFE, 20),
    "gitlabrunner": _behind("glrt-", _URL_SAFE, 20),
    "gitlabdeploy": _behind("gldt-", _URL_SAFE, 20),
    "gitlabjob": _two("glcbt-", _ALNUM, (2, 20), "_"),
    "slackbot": _slack("xoxb"),
    "slackuser": _slack("xoxp"),
    "slackapp": _slack_app,
    "slackhook": _slack_hook,
    "stripe": _behind("sk_live_", _ALNUM, 24),
    "striperestricted": _behind("rk_live_", _ALNUM, 99),
    "stripetest": _behind("sk_test_", _ALNUM, 24),
    "stripehook": _behind("whsec_", _ALNUM, 32),
    "twilio": _behind("SK", _HEX, 32),
    "sendgrid": _two("SG.", _URL_SAFE, (22, 43), "."),
    "google": _behind("AIza", _URL_SAFE, 35),
    "googleoauth": _behind("ya29.a0", _URL_SAFE, 120),
    "googlerefresh": _behind("1//0", _URL_SAFE, 60),
    "googleclient": _behind("GOCSPX-", _URL_SAFE, 28),
    "awssession": _behind("IQoJb3JpZ2luX2Vj", _ALNUM + "+/", 240),
    "azurestorage": lambda random: ("", base64.b64encode(random.randbytes(64)).decode()),
    "azureclient": _two("", _ALNUM, (3, 34), "8Q~"),
    "npm": _behind("npm_", _ALNUM, 36),
    "pypi": _behind("pypi-AgEIcHlwaS5vcmc", _URL_SAFE, 130),
    "digitalocean": _behind("dop_v1_", _HEX, 64),
    "digitaloceanoauth": _behind("doo_v1_", _HEX, 64),
    "huggingface": _behind("hf_", _ALNUM, 34),
    "openai": _two("sk-", _ALNUM, (20, 20), "T3BlbkFJ"),
    "openaiproject": _behind("sk-proj-", _URL_SAFE, 100),
    "anthropic": _behind("sk-ant-api03-", _URL_SAFE, 95),
    "shopify": _behind("shpat_", _HEX, 32),
    "shopifyshared": _behind("shpss_", _HEX, 32),
    "telegram": _telegram,
    "discordbot": _discord_bot,
    "mailgun": _behind("key-", _HEX, 32),
    "mailchimp": lambda random: ("", f"{_some(random, _HEX, 32)}-us{random.randint(1, 21)}"),
    "square": _behind("EAAA", _URL_SAFE, 60),
    "squaresecret": _behind("sq0csp-", _URL_SAFE, 43),
    "databricks": _behind("dapi", _HEX, 32),
    "vault": _behind("hvs.", _URL_SAFE, 90),
    "vaultold": _behind("s.", _ALNUM, 24),
    "age": _behind("AGE-SECRET-KEY-1", _BECH32, 58),
    "doppler": _behind("dp.pt.", _ALNUM, 43),
    "linear": _behind("lin_api_", _ALNUM, 40),
    "notion": _behind("ntn_", _ALNUM, 46),
    "notionold": _behind("secret_", _ALNUM, 43),
    "atlassian": _behind("ATATT3xFfGF0", _URL_SAFE, 180),
    "bitbucket": _behind("ATBB", _ALNUM, 32),
    "dockerhub": _behind("dckr_pat_", _URL_SAFE, 27),
    "terraform": _two("", _ALNUM, (14, 67), ".atlasv1."),
    "grafana": _two("glsa_", _ALNUM, (32, 8), "_"),
    "grafanacloud": _behind("glc_", _ALNUM, 120),
    "newrelic": _behind("NRAK-", _UPPER + _DIGITS, 27),
    "sentry": _behind("sntrys_", _ALNUM, 140),
    "figma": _behind("figd_", _URL_SAFE, 40),
    "postman": _two("PMAK-", _HEX, (24, 34), "-"),
    "planetscale": _behind("pscale_pw_", _URL_SAFE, 43),
    "supabase": _behind("sbp_", _HEX, 40),
    "fly": _behind("FlyV1 fm2_", _ALNUM + "+/", 120),
    "rubygems": _behind("rubygems_", _HEX, 48),
    "crates": _behind("cio", _ALNUM, 32),
    "airtable": _two("pat", _ALNUM, (14, 64), "."),
    "cloudflare": _behind("v1.0-", _HEX, 171),
    "pulumi": _behind("pul-", _HEX, 40),
    "dynatrace": _two("dt0c01.", _UPPER + _DIGITS, (24, 64), "."),
    "okta": _behind("00", _URL_SAFE, 40),
    "facebook": _behind("EAACEdEose0cBA", _ALNUM, 120),
    "intercom": _behind("dG9rO", _ALNUM, 55),
    "groq": _behind("gsk_", _ALNUM, 52),
    "xai": _behind("xai-", _ALNUM, 80),
    "replicate": _behind("r8_", _ALNUM, 37),
    "artifactory": _behind("AKC", _ALNUM, 70),
    "sonar": _behind("squ_", _HEX, 40),
    "buildkite": _behind("bkua_", _HEX, 40),
    "circleci": _two("CCIPAT_", _ALNUM, (22, 40), "_"),
}
