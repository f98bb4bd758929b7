"""Signature Version 4: the signature is that of botocore's own signer."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from logweir.errors import SinkUnavailable
from logweir.sinks.opensearch.client import OpenSearchClient
from logweir.sinks.opensearch.config import AwsConfig, OpenSearchConfig
from logweir.sinks.opensearch.signing import Credentials, Signer, canonical_query, credentials_of
from logweir.sinks.opensearch.sink import OpenSearchSink

HOST = "search-logs-abc.eu-central-1.es.amazonaws.com"
KEYS: dict[str, Any] = {
    "access_key_id": "AKIDEXAMPLE",
    "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
}


class _AtTheTime(SigV4Auth):  # type: ignore[misc]
    """Botocore's signer at a moment that a test says; it signs no hash of the body unless it is asked to."""

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        super()._modify_request_before_signing(request)
        request.headers["X-Amz-Content-SHA256"] = self.payload(request)


def signed_by_botocore(who: Credentials, method: str, url: str, body: bytes, moment: str) -> str:
    request = AWSRequest(method=method, url=url, data=body)
    signer = _AtTheTime(
        BotocoreCredentials(who.access_key_id, who.secret_access_key, who.session_token), "es", "eu-central-1"
    )
    request.context["timestamp"] = moment
    signer._modify_request_before_signing(request)
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    signer._inject_signature_to_request(request, signature)
    return str(request.headers["Authorization"])


paths = st.sampled_from(
    ["/", "/app-logs/_bulk", "/_plugins/_ism/policies/a.b-c_d", "/p/%2A%20x/_search", "/a~b"]
)
queries = st.sampled_from(
    [
        "",
        "filter_path=errors,items.*.status,items.*.error",
        "b=2&a=1&a=0",
        "ignore_unavailable=true&x",
        "q=a%20b%2C",
    ]
)


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE"]),
    path=paths,
    query=queries,
    body=st.binary(max_size=50),
    token=st.none() | st.just("FQoGZXIvYXdzE+/="),
    moment=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - given its zone below
)
def test_a_signature_is_that_of_botocore(
    method: str, path: str, query: str, body: bytes, token: str | None, moment: datetime
) -> None:
    who = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token)
    now = moment.replace(tzinfo=UTC)
    sent = canonical_query(query)
    headers = Signer("eu-central-1", "es", lambda: who, lambda: now).headers(method, HOST, path, sent, body)
    url = f"https://{HOST}{path}" + (f"?{sent}" if sent else "")
    assert headers["authorization"] == signed_by_botocore(who, method, url, body, f"{now:%Y%m%dT%H%M%SZ}")
    assert headers.get("x-amz-security-token") == token


def test_a_query_is_sent_as_it_is_signed() -> None:
    assert canonical_query("b=items.*.x,y&a") == "a=&b=items.%2A.x%2Cy"
    assert canonical_query("") == ""


async def test_a_request_carries_the_signature_of_what_is_sent() -> None:
    config = OpenSearchConfig(url=f"https://{HOST}", aws=AwsConfig(region="eu-central-1", **KEYS))
    client = await OpenSearchClient.make(config, 1)
    try:
        url, headers = await client._signed("POST", f"https://{HOST}/app/_bulk?filter_path=a,b", b"{}\n")
    finally:
        await client.close()
    assert str(url) == f"https://{HOST}/app/_bulk?filter_path=a%2Cb"
    moment = headers["x-amz-date"]
    who = Credentials(KEYS["access_key_id"], KEYS["secret_access_key"])
    assert headers["authorization"] == signed_by_botocore(who, "POST", str(url), b"{}\n", moment)


def test_credentials_come_from_the_options_then_the_environment_then_botocore(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    find = credentials_of(AwsConfig(region="eu-central-1"))
    with pytest.raises(SinkUnavailable, match="there are no credentials of AWS"):
        find()
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = F\naws_secret_access_key = G\n")
    assert find() == Credentials("F", "G")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "E")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "S")
    assert find() == Credentials("E", "S")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "T")
    assert find() == Credentials("E", "S", "T")
    given_keys = AwsConfig(region="eu-central-1", **KEYS, session_token="mine")  # type: ignore[arg-type]
    assert credentials_of(given_keys)() == Credentials(
        KEYS["access_key_id"], KEYS["secret_access_key"], "mine"
    )


def test_secrets_are_not_shown() -> None:
    aws = AwsConfig(region="eu-central-1", access_key_id="A", secret_access_key="hush", session_token="quiet")  # type: ignore[arg-type]
    config = OpenSearchConfig(aws=aws)
    shown = repr(config) + repr(OpenSearchSink(config)) + OpenSearchSink(config).provision_script()
    shown += (
        repr(credentials_of(aws)()) + repr(Signer("r", "es", credentials_of(aws))) + config.model_dump_json()
    )
    assert "hush" not in shown
    assert "quiet" not in shown
