"""Headers in every container, cookies, and requests as clients, servers and proxies write them."""

from __future__ import annotations

import email.message
import http.client
import http.cookies
import io
from collections import UserDict
from collections.abc import Iterator
from types import MappingProxyType

import httpx
import multidict

from corpora.cases import Logged, Shape, blocks, lines, structures
from corpora.values import Values

__all__ = ["shapes"]

_LINES = r"""
header-authorization-bearer | urllib3's debug output | header: Authorization: Bearer «opaque»
header-authorization-basic | a proxy's trace | Authorization: Basic «basic»
header-authorization-token | Django REST framework's scheme | Authorization: Token «hex40»
header-authorization-digest | requests' digest | Authorization: Digest username="«!user»", realm="api", nonce="abc", uri="/", response="«hex32»"
header-authorization-negotiate | requests-kerberos | Authorization: Negotiate «base88»
header-authorization-aws4 | botocore's debug log | Authorization: AWS4-HMAC-SHA256 Credential=«akia»/20310312/eu-west-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=«hex64»
header-authorization-apikey | Elasticsearch's scheme | Authorization: ApiKey «base88»
header-authorization-sharedkey | azure-core's network trace | Authorization: SharedKey «!name»:«base64»
header-authorization-hawk | Hawk | Authorization: Hawk id="«!name»", ts="1353832234", nonce="j4h3g2", mac="«base64»"
header-authorization-oauth1 | requests-oauthlib's debug log | Authorization: OAuth oauth_consumer_key="k", oauth_token="«token»", oauth_signature_method="HMAC-SHA1", oauth_signature="«base64|url»"
header-authorization-raw | an API that takes the key without a scheme | authorization: «hex64»
header-authorization-lower | HTTP/2 headers of a proxy | authorization: bearer «token»
header-proxy-authorization | http.client's debug level | send: b'CONNECT «!host»:443 HTTP/1.0\r\nProxy-Authorization: Basic «basic»\r\n\r\n'
header-http-client-debug | http.client's debug level | send: b'GET /v1/me HTTP/1.1\r\nHost: «!host»\r\nAuthorization: Bearer «opaque»\r\nAccept: */*\r\n\r\n'
header-x-api-key | AWS API Gateway's execution log | Method request headers: {x-api-key=«token», Accept=application/json, Host=«!host»}
header-x-auth-token | OpenStack clients' debug log | REQ: curl -g -i -X GET https://«!host»/v3 -H "X-Auth-Token: «token»" -H "Accept: application/json"
header-x-vault-token | Vault's client | X-Vault-Token: «vault»
header-private-token | python-gitlab | PRIVATE-TOKEN: «gitlab»
header-x-csrf | Rails | X-CSRF-Token: «base88»
header-x-amz-security-token | botocore's debug log | x-amz-security-token:«awssession»
header-ocp-key | Azure API Management | Ocp-Apim-Subscription-Key: «hex32»
header-sec-websocket-protocol | a token in the subprotocol | sec-websocket-protocol: bearer, «jwt»
header-python-dict-text | requests: print(response.request.headers) | {'User-Agent': 'python-requests/2.31', 'Accept': '*/*', 'Authorization': 'Bearer «opaque»'}
header-python-tuples-text | h11's events | Request(method=b'GET', headers=<Headers([(b'host', b'«!host»'), (b'authorization', b'Bearer «token»')])>)
header-ruby-hash-text | Faraday's log | {"Authorization"=>"Bearer «opaque»", "Accept"=>"application/json"}
header-go-map-text | a Go program printing http.Header | map[Accept:[*/*] Authorization:[Bearer «opaque»] User-Agent:[Go-http-client/1.1]]
header-axios-error | axios: an error's config | {"config":{"url":"/me","headers":{"Accept":"*/*","Authorization":"Bearer «opaque»"}},"code":"ERR_BAD_REQUEST"}
header-bearer-in-prose | an error of an API | Invalid token: Bearer «opaque» is expired
header-httpx-repr | httpx: repr of Headers of an older version | Headers([('accept', '*/*'), ('authorization', 'Bearer «token»')])
cookie-header | an access log with cookies | Cookie: theme=dark; sessionid=«alnum»«alnum:b»; csrftoken=«token»
cookie-set | Django's response | Set-Cookie: sessionid=«token»; expires=Wed, 12 Mar 2031 10:11:12 GMT; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax
cookie-set-jwt | an API that keeps its token in a cookie | set-cookie: access_token=«jwt»; Path=/; Secure; HttpOnly
cookie-express | connect.sid | Cookie: connect.sid=s%3A«token».«base64|url»
cookie-aspnet | ASP.NET | Cookie: .AspNetCore.Cookies=CfDJ8«opaque»; ASP.NET_SessionId=«alnum»
cookie-php | PHP | Cookie: PHPSESSID=«alnum»; lang=de
cookie-java | a servlet container | Cookie: JSESSIONID=«hex32»; lang=de
cookie-laravel | Laravel | Cookie: XSRF-TOKEN=«base88|url»; laravel_session=«opaque»
cookie-wordpress | WordPress | Cookie: wordpress_logged_in_abc=«!user»%7C1999999999%7C«opaque»
cookie-curl | curl -b | curl -b 'session=«opaque»' https://«!host»/
cookiejar-repr | requests: repr of the cookie jar | <RequestsCookieJar[<Cookie sessionid=«token» for «!host»/>]>
"""

_BLOCKS = r"""
## request-raw | mitmproxy's or httpie's verbose output
POST /login HTTP/1.1
Host: «!host»
Content-Type: application/x-www-form-urlencoded
Cookie: sid=«opaque»

username=«!user»&password=«strong|form»
## request-curl-verbose | curl -v
> GET /v1/me HTTP/2
> Host: «!host»
> authorization: Bearer «opaque»
> user-agent: curl/8.5.0
< HTTP/2 401
## request-wget-debug | wget -d
---request begin---
GET /x HTTP/1.1
Host: «!host»
Authorization: Basic «basic»
---request end---
## request-folded | a header folded over two lines
Authorization: Bearer
 «opaque»
Accept: */*
## request-okhttp | OkHttp's logging interceptor
--> POST https://«!host»/session
X-Api-Key: «token»
{"user":"«!user»","password":"«password»"}
--> END POST
## request-feign | Feign's full log
[Client#login] ---> POST http://«!host»/login HTTP/1.1
[Client#login] Authorization: Bearer «jwt»
[Client#login] ---> END HTTP (0-byte body)
## request-soap | a SOAP call's envelope
<soap:Envelope><soap:Header><wsse:Security><wsse:UsernameToken>
<wsse:Username>«!user»</wsse:Username>
<wsse:Password Type="http://docs.oasis-open.org/wss/2004/01/x#PasswordText">«password»</wsse:Password>
</wsse:UsernameToken></wsse:Security></soap:Header></soap:Envelope>
"""

_FIELDS = (
    ("headers-dict", "httpx event hooks", {"headers": {"accept": "*/*", "authorization": "Bearer «opaque»", "host": "«!host»"}}),
    ("headers-dict-upper", "Django's request.META", {"meta": {"HTTP_HOST": "«!host»", "HTTP_AUTHORIZATION": "Token «hex40»"}}),
    ("headers-dict-cookie", "a middleware", {"headers": {"Cookie": "sid=«opaque»; theme=dark", "Host": "«!host»"}}),
    ("headers-set-cookie-list", "a response with several cookies", {"headers": {"Set-Cookie": ["a=«token»; Path=/", "b=«token:b»; Path=/"]}}),
    ("headers-list-of-lists", "aiohttp's raw headers", {"headers": [["Host", "«!host»"], ["Authorization", "Bearer «token»"]]}),
    ("headers-list-of-tuples", "http.client: getheaders", {"headers": [("Host", "«!host»"), ("X-Api-Key", "«token»")]}),
    ("headers-asgi-scope", "Starlette's scope", {"scope": {"type": "http", "headers": [("bytes:host", "bytes:«!host»"), ("bytes:authorization", "bytes:Bearer «opaque»")]}}),
    ("headers-asgi-cookie", "Starlette's scope", {"scope": {"type": "http", "headers": [["bytes:cookie", "bytes:session=«opaque»"]]}}),
    ("headers-name-value", "HAR", {"log": {"entries": [{"request": {"url": "https://«!host»/", "headers": [{"name": "Authorization", "value": "Bearer «opaque»"}]}}]}}),
    ("headers-har-cookies", "HAR", {"log": {"entries": [{"request": {"cookies": [{"name": "sessionid", "value": "«token»"}]}}]}}),
    ("headers-har-query", "HAR", {"request": {"queryString": [{"name": "access_token", "value": "«opaque»"}, {"name": "q", "value": "x"}]}}),
    ("headers-har-post-data", "HAR", {"postData": {"mimeType": "application/x-www-form-urlencoded", "params": [{"name": "password", "value": "«password»"}]}}),
    ("headers-key-value", "Postman's collection", {"header": [{"key": "X-API-Key", "value": "«token»", "type": "text"}]}),
    ("headers-upper-name-value", "CloudFormation's custom header", {"OriginCustomHeaders": [{"HeaderName": "X-Api-Key", "HeaderValue": "«token»"}]}),
    ("headers-wsgi-environ", "PEP 3333", {"environ": {"REQUEST_METHOD": "GET", "HTTP_HOST": "«!host»", "HTTP_AUTHORIZATION": "Basic «basic»", "HTTP_COOKIE": "sid=«opaque»"}}),
    ("headers-alb-multi-value", "AWS Lambda behind a load balancer", {"event": {"multiValueHeaders": {"authorization": ["Bearer «opaque»"], "host": ["«!host»"]}}}),
    ("headers-api-gateway", "AWS Lambda's proxy event", {"lambda_event": {"headers": {"x-api-key": "«token»"}, "requestContext": {"identity": {"apiKey": "«token»", "sourceIp": "«!ip»"}}}}),
    ("headers-flat-list", "Node's rawHeaders", {"rawHeaders": ["Host", "«!host»", "Authorization", "Bearer «opaque»"]}),
    ("headers-dotted-field", "OpenTelemetry's http.request.header.*", {"http.request.header.authorization": ["Bearer «opaque»"], "server.address": "«!host»"}),
    ("headers-envoy", "Envoy's access log", {"authority": "«!host»", "req_headers": ":path: /x\nauthorization: Bearer «opaque»"}),
    ("cookies-dict", "Flask's request.cookies", {"cookies": {"sessionid": "«token»", "csrftoken": "«token:b»"}}),
    ("auth-pair", "requests' auth=", {"auth": ("«user»", "«password»"), "url": "https://«!host»"}),
)  # fmt: skip


def _http_message(values: Values) -> Logged:
    raw = values.fill("Host: «!host»\r\nAuthorization: Bearer «opaque»\r\n\r\n").encode()
    return Logged(fields={"headers": http.client.parse_headers(io.BytesIO(raw))})


def _email_message(values: Values) -> Logged:
    message = email.message.Message()
    message["From"] = values("email", keep=True)
    message["X-Api-Token"] = values("token")
    return Logged(fields={"message": message})


def _httpx_headers(values: Values) -> Logged:
    return Logged(
        fields={
            "headers": httpx.Headers(values.fill({"host": "«!host»", "authorization": "Bearer «opaque»"}))
        }
    )


def _httpx_headers_custom(values: Values) -> Logged:
    return Logged(fields={"headers": httpx.Headers(values.fill({"host": "«!host»", "x-api-key": "«token»"}))})


def _httpx_url(values: Values) -> Logged:
    return Logged(
        event="request.sent",
        fields={"url": httpx.URL(values.fill("https://«!host»/x?access_token=«opaque»"))},
    )


def _multidict(values: Values) -> Logged:
    pairs = values.fill([("Host", "«!host»"), ("Cookie", "sid=«opaque»")])
    return Logged(fields={"headers": multidict.CIMultiDict(pairs)})


class _CaseInsensitive(UserDict[str, str]):
    """As requests' CaseInsensitiveDict."""


def _case_insensitive(values: Values) -> Logged:
    return Logged(
        fields={
            "headers": _CaseInsensitive(values.fill({"Host": "«!host»", "Authorization": "Basic «basic»"}))
        }
    )


def _proxy(values: Values) -> Logged:
    return Logged(fields={"headers": MappingProxyType(values.fill({"X-Auth-Token": "«token»"}))})


def _cookie(values: Values) -> Logged:
    cookie: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
    cookie["sessionid"] = values("token")
    cookie["sessionid"]["httponly"] = True
    return Logged(fields={"cookie": cookie}, hidden=True)


def _httpx_cookies(values: Values) -> Logged:
    return Logged(fields={"jar": httpx.Cookies({"sessionid": values("token")})}, hidden=True)


def _prepared(values: Values) -> Logged:
    url = values.fill("https://«!host»/login?token=«opaque»")
    return Logged(event="sent %r", args=(httpx.Request("POST", url),), via="stdlib")


def _headers_as_event(values: Values) -> Logged:
    return Logged(
        event="headers: %s",
        args=(values.fill({"Host": "«!host»", "Authorization": "Bearer «opaque»"}),),
        via="stdlib",
    )


def _bytes_dict(values: Values) -> Logged:
    headers = {
        key.encode(): text.encode()
        for key, text in values.fill({"host": "«!host»", "x-api-key": "«token»"}).items()
    }
    return Logged(fields={"headers": headers})


_BUILT = (
    ("headers-http-message", "http.client.HTTPMessage", _http_message),
    ("headers-email-message", "email.message.Message", _email_message),
    ("headers-httpx", "httpx.Headers", _httpx_headers),
    ("headers-httpx-own-name", "httpx.Headers", _httpx_headers_custom),
    ("headers-httpx-url", "httpx.URL as a field", _httpx_url),
    ("headers-multidict", "aiohttp: CIMultiDict", _multidict),
    ("headers-case-insensitive", "requests: CaseInsensitiveDict", _case_insensitive),
    ("headers-mapping-proxy", "aiohttp: a mapping proxy", _proxy),
    ("headers-simple-cookie", "http.cookies.SimpleCookie", _cookie),
    ("headers-httpx-cookies", "httpx.Cookies", _httpx_cookies),
    ("headers-request-repr", "httpx: repr of a request", _prepared),
    ("headers-percent-s", "logging with a dict as the argument", _headers_as_event),
    ("headers-bytes-dict", "Scrapy's headers", _bytes_dict),
)


def shapes() -> Iterator[Shape]:
    """Yield the shapes of HTTP."""
    yield from lines("http", _LINES)
    yield from blocks("http", _BLOCKS)
    yield from structures("http", _FIELDS)
    for name, source, build in _BUILT:
        yield Shape(name, "http", source, build)
