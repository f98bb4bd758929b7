"""What protocols look like in the logs of clients and servers: commands that log in, answers, handshakes."""

import pytest

from logweir.redaction.redactor import Redactor
from support.marked import check, examples, texts

_SECRET = examples(
    r"""
    ## SMTP, IMAP, POP3, FTP, NNTP
    PASS ⟦⟧
    *cmd* 'PASS ⟦⟧'
    *put* b'PASS ⟦⟧'
    > PASS ⟦⟧
    >>> PASS ⟦⟧
    C: PASS ⟦⟧
    S: 331 Password required␤C: PASS ⟦⟧␤S: 230 Logged in
    USER bob␤PASS ⟦⟧␤
    send: 'PASS ⟦⟧\r\n'
    b'PASS ⟦⟧\r\n'
    ---> PASS ⟦⟧
    DEBUG ftp: -> PASS ⟦⟧
    send: 'AUTH PLAIN ⟦dWd1d29sbzpVb192ekpIczItb0phWg==⟧\r\n'
    AUTH PLAIN ⟦AGJvYgBodW50ZXIy⟧
    C: AUTH PLAIN ⟦AGJvYgBodW50ZXIy⟧
    AUTH LOGIN ⟦Ym9iQGV4YW1wbGUuY29t⟧
    send: 'AUTH LOGIN ⟦Ym9iQGV4YW1wbGUuY29t⟧\r\n'
    AUTH XOAUTH2 ⟦dXNlcj1ib2JAZXhhbXBsZS5jb20BYXV0aD1CZWFyZXIgeWEyOS4BAQ==⟧
    C: a1 AUTHENTICATE PLAIN ⟦AGJvYgBodW50ZXIy⟧
    a1 AUTHENTICATE XOAUTH2 ⟦dXNlcj1ib2JAZXhhbXBsZS5jb20BYXV0aD1CZWFyZXIgeWEyOS4BAQ==⟧
    A001 LOGIN bob ⟦⟧
    A001 LOGIN bob@example.com "⟦⟧"
    > CFAE1 LOGIN "bob" "⟦⟧"
    > b'KPCM1 LOGIN bob "⟦⟧"'
    APOP bob ⟦c4c9334bac560ecc979e58001b3e22fb⟧
    AUTHINFO PASS ⟦⟧
    ## Redis
    AUTH ⟦⟧
    AUTH default ⟦⟧
    127.0.0.1:6379> AUTH ⟦⟧
    127.0.0.1:6379> auth default ⟦⟧
    Command # 1 (AUTH ⟦⟧) of pipeline caused error: WRONGPASS
    "AUTH" "⟦⟧"
    1620000000.123456 [0 127.0.0.1:5000] "AUTH" "⟦⟧"
    1620000000.123456 [0 127.0.0.1:5000] "AUTH" "default" "⟦⟧"
    ['AUTH', '⟦⟧']
    ('AUTH', 'default', '⟦⟧')
    [b'AUTH', b'⟦⟧']
    *2\r\n$4\r\nAUTH\r\n$14\r\n⟦sT5Q5-_3v8W83B⟧\r\n
    *3\r\n$4\r\nAUTH\r\n$3\r\nbob\r\n$14\r\n⟦sT5Q5-_3v8W83B⟧\r\n
    HELLO 3 AUTH default ⟦⟧ SETNAME app
    CONFIG SET requirepass ⟦⟧
    CONFIG SET masterauth ⟦⟧
    requirepass ⟦⟧
    masterauth ⟦⟧
    masterauth "⟦⟧"
    ACL SETUSER bob on >⟦⟧ ~* +@all
    user bob on >⟦⟧ ~* +@all
    MIGRATE h 6379 "" 0 5000 AUTH ⟦⟧ KEYS a
    ## IRC, XMPP, SIP
    PRIVMSG NickServ :IDENTIFY ⟦⟧
    PRIVMSG NickServ :IDENTIFY bob ⟦⟧
    /msg NickServ IDENTIFY ⟦⟧
    OPER admin ⟦⟧
    :bob!b@h PASS ⟦⟧
    AUTHENTICATE ⟦Ym9iAGJvYgBodW50ZXIy⟧
    <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>⟦AGJvYgBodW50ZXIy⟧</auth>
    ~Proxy-Authorization: Digest username="bob", realm="h", nonce="⟦84f1c1ae6cbe5ua9⟧", response="⟦3bcb7a4d5c9f0e1a2b3c4d5e6f708192⟧"
    ## MQTT, STOMP, AMQP, Kafka, NATS
    CONNECT␤login:bob␤passcode:⟦⟧␤␤
    CONNECT {"verbose":false,"user":"bob","pass":"⟦⟧","lang":"go"}
    CONNECT {"auth_token":"⟦⟧","lang":"go"}
    mosquitto_pub -h h -u bob -P ⟦⟧ -t a
    ~sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="bob" password="⟦⟧";
    sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="bob" password="⟦⟧";
    ssl.keystore.password=⟦⟧
    ssl.truststore.password = ⟦⟧
    connect(host='h', username='bob', password='⟦⟧', vhost='/')
    client.username_pw_set('bob', '⟦⟧')
    pika.PlainCredentials('bob', '⟦⟧')
    PlainCredentials(username='bob', password='⟦⟧')
    ## LDAP, RADIUS, Kerberos
    simple_bind_s('cn=admin,dc=example', '⟦⟧')
    bindDN: cn=admin␤bindpw: ⟦⟧
    bindpw ⟦⟧
    rootpw ⟦⟧
    ~rootpw {SSHA}⟦qk2xPmfVXyXW1eLc3kq0OiVmJo8vxmGB⟧
    ~userPassword: {SSHA}⟦qk2xPmfVXyXW1eLc3kq0OiVmJo8vxmGB⟧
    userPassword:: ⟦ZUZTQWk3LXllZ19KQ3Q=⟧
    dn: uid=bob,dc=example␤userPassword:: ⟦ZUZTQWk3LXllZ19KQ3Q=⟧␤cn: Bob
    unicodePwd:: ⟦IgBoAHUAbgB0AGUAcgAyACIA⟧
    User-Password = "⟦⟧"
    Cleartext-Password := "⟦⟧"
    bob Cleartext-Password := "⟦⟧"
    CHAP-Password = ⟦0x01f4c2a9b8d7e6f5a4b3c2d1e0f9a8b7⟧
    NT-Password := ⟦B4B9B02E6F09A9BD760F388B67351E2B⟧
    client lan {␤ secret = ⟦⟧␤ shortname = lan␤}
    ## HTTP
    ~Authorization: Bearer␤ ⟦_AEWM0dLpKP8iTgJfJwgXC5qrtHLCxRPybF4a0Ho2ch⟧␤Accept: */*
    ~Cookie: sid=1;␤ ⟦token=abcdef123456⟧␤Accept: */*
    ~Cookie: sid=⟦abcdef123456⟧;␤ token=⟦hijklm789012⟧␤Accept: */*
    send: b'GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic ⟦Ym9iOmh1bnRlcjI=⟧\r\n\r\n'
    > X-Vault-Token: ⟦⟧
    > PRIVATE-TOKEN: ⟦⟧
    < Set-Cookie: ⟦sid=abcdef123456; Path=/⟧
    [h2] [authorization: Bearer ⟦abcdef123456⟧]
    h2h3 [x-api-key: ⟦⟧]
    [x-amz-security-token: ⟦IQoJb3JpZ2luX2VjEAkaCXVzLWVhc3QtMSJHMEUCIQ⟧]
    X-Auth-Token: ⟦⟧
    X-Hub-Signature-256: ⟦sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17⟧
    ~X-Amz-Credential=AKIA/20260101/eu/s3/aws4_request&X-Amz-Signature=⟦fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024⟧
    X-Telegram-Bot-Api-Secret-Token: ⟦⟧
    Ocp-Apim-Subscription-Key: ⟦0123456789abcdef0123456789abcdef⟧
    DD-API-KEY: ⟦0123456789abcdef0123456789abcdef⟧
    X-Shopify-Access-Token: ⟦0123456789abcdef0123456789abcdef⟧
    ~Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=⟦5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7⟧
    ~Authorization: SharedKey myaccount:⟦ctzMq410TV3wS7upTBcunJTDLEJwMAZuFPfr0mrrA08=⟧
    ~Authorization: SharedAccessSignature sr=h&sig=⟦ctzMq410TV3wS7upTBcunJTDLEJwMAZuFPfr0mrrA08%3D⟧&se=1&skn=a
    ~Authorization: AWS AKIDEXAMPLE:⟦frJIUN8DYpKDtOLCwo1yzEw8JaA=⟧
    ~authorization: Token token=⟦abcdef123456⟧
    ~proxy-authorization: Basic ⟦Ym9iOmh1bnRlcjI=⟧
    WWW-Authenticate: Negotiate ⟦oYGZMIGWoAMKAQChCwYJKoZIgvcSAQICooGBBH8⟧
    """
)
_HARMLESS = texts(
    r"""
    PASS
    PASS test_login (0.2 s)
    --- PASS: TestLogin (0.00s)
    PASS ok github.com/x/y 0.2s
    FAIL 3 PASS 17
    PASS 17 FAIL 3
    AUTH failed for user bob
    AUTH command not supported
    AUTH PLAIN LOGIN CRAM-MD5
    250-AUTH PLAIN LOGIN
    250-AUTH=PLAIN LOGIN
    503 AUTH command used when not advertised
    530 Must issue AUTH TLS first
    AUTH TLS
    AUTH SSL
    AUTHENTICATE PLAIN
    NOAUTH Authentication required.
    331 Please specify the password.
    230 Login successful.
    LOGIN bob from 203.0.113.7
    LOGIN failed
    * CAPABILITY IMAP4rev1 AUTH=PLAIN LOGIN-REFERRALS
    a1 OK LOGIN completed
    A001 LOGIN failed.
    WRONGPASS invalid username-password pair or user is disabled.
    OPER up failed
    NickServ: please IDENTIFY yourself
    WWW-Authenticate: Basic realm="api"
    WWW-Authenticate: Bearer error="invalid_token"
    authentication mechanism PLAIN not available
    Authentication: passed
    HELLO 3
    """
)


@pytest.mark.parametrize("example", _SECRET, ids=lambda example: example[0][0][:60])
def test_commands_and_headers_that_log_in_are_masked(example):
    check(example)


@pytest.mark.parametrize("text", _HARMLESS)
def test_what_protocols_say_without_a_secret_is_kept(text):
    assert Redactor().redact_text(text) == text
