"""Harmless events of systems: Stripe, databases, web servers, syslog, mail, language models, and numbers of all kinds."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from corpora.audit_cloud import some
from corpora.cases import AuditCase

__all__ = ["cases"]

_HEX = "0123456789abcdef"
_ALNUM = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"

_STRIPE = (
    "charge.succeeded", "charge.failed", "charge.refunded", "payment_intent.created", "payment_intent.succeeded", "payment_intent.payment_failed",
    "payment_method.attached", "customer.created", "customer.updated", "customer.source.created", "invoice.paid", "invoice.payment_failed",
    "checkout.session.completed", "payout.paid", "radar.early_fraud_warning.created", "issuing_card.created",
)  # fmt: skip


def _stripe() -> Iterator[AuditCase]:
    for kind in _STRIPE:
        random = Random(kind)
        card = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2034, "funding": "credit", "country": "CH", "fingerprint": some(random, _ALNUM, 16), "checks": {"cvc_check": "pass", "address_postal_code_check": "pass"}}  # fmt: skip
        fields = {
            "id": f"evt_{some(random, _ALNUM, 24)}",
            "type": kind,
            "api_version": "2030-01-27",
            "created": 1931071872,
            "livemode": False,
            "data": {"object": {"id": f"ch_{some(random, _ALNUM, 24)}", "amount": 1250, "currency": "chf", "customer": f"cus_{some(random, _ALNUM, 14)}", "payment_method_details": {"type": "card", "card": card}}},
            "request": {"id": f"req_{some(random, _ALNUM, 14)}"},
        }  # fmt: skip
        yield AuditCase(f"stripe-{kind}", "Stripe: Types of events, the Event object", "stripe.event", fields)


_MESSAGES = {
    "sshd-failed": ("sshd(8)", "Failed password for invalid user admin from 192.0.2.7 port 51234 ssh2"),
    "sshd-failed-root": ("sshd(8)", "Failed password for root from 192.0.2.7 port 22 ssh2"),
    "sshd-accepted": ("sshd(8)", "Accepted password for anna from 192.0.2.7 port 51234 ssh2"),
    "sshd-publickey": ("sshd(8)", "Accepted publickey for anna from 192.0.2.7 port 51234 ssh2: ED25519 SHA256:uNiVztksCsDhcc0u9e8BrrJXVGVt8y2mQ3n1sGx0fAo"),
    "sshd-closed": ("sshd(8)", "Connection closed by authenticating user root 192.0.2.7 port 41234 [preauth]"),
    "sshd-pam": ("pam_unix(8)", "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root"),
    "sshd-session": ("pam_unix(8)", "pam_unix(sshd:session): session opened for user anna(uid=1000) by (uid=0)"),
    "sshd-repeated": ("sshd(8)", "message repeated 2 times: [ Failed password for root from 192.0.2.7 port 22 ssh2]"),
    "sudo": ("sudo(8)", "anna : TTY=pts/0 ; PWD=/home/anna ; USER=root ; COMMAND=/usr/bin/apt-get update"),
    "sudo-wrong": ("sudo(8)", "anna : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/srv ; USER=root ; COMMAND=/bin/ls"),
    "passwd": ("passwd(1)", "pam_unix(passwd:chauthtok): password changed for anna"),
    "useradd": ("useradd(8)", "new user: name=app, UID=998, GID=998, home=/home/app, shell=/usr/sbin/nologin, from=none"),
    "cron": ("cron(8)", "(root) CMD (test -x /usr/sbin/anacron || run-parts --report /etc/cron.daily)"),
    "systemd": ("systemd(1)", "Started session-12.scope - Session 12 of User anna."),
    "ask-password": ("systemd(1)", "Started systemd-ask-password-wall.path - Forward Password Requests to Wall Directory Watch."),
    "kernel": ("kernel log", "[UFW BLOCK] IN=eth0 OUT= MAC=52:54:00:12:34:56 SRC=192.0.2.7 DST=192.0.2.8 LEN=60 TTL=51 ID=54321 PROTO=TCP SPT=41234 DPT=22"),
    "dhcp": ("dhclient(8)", "DHCPACK of 192.0.2.55 from 192.0.2.1"),
    "postgres-auth": ("PostgreSQL: Error Reporting and Logging", 'FATAL:  password authentication failed for user "anna"'),
    "postgres-hba": ("PostgreSQL: Error Reporting and Logging", 'no pg_hba.conf entry for host "192.0.2.7", user "anna", database "app", no encryption'),
    "postgres-authorized": ("PostgreSQL: Error Reporting and Logging", "connection authorized: user=anna database=app application_name=psql SSL enabled (protocol=TLSv1.3)"),
    "postgres-checkpoint": ("PostgreSQL: Error Reporting and Logging", "checkpoint complete: wrote 45 buffers (0.3%); write=4.412 s, sync=0.004 s, total=4.420 s; lsn=0/14D1F5C8"),
    "postgres-duration": ("PostgreSQL: Error Reporting and Logging", "duration: 12.345 ms  statement: SELECT id, name FROM users WHERE token_id = 7"),
    "postgres-syntax": ("PostgreSQL: Error Reporting and Logging", 'syntax error at or near "selct" at character 1'),
    "mysql-denied": ("MySQL: Error Message Reference", "Access denied for user 'anna'@'192.0.2.7' (using password: YES)"),
    "mysql-denied-no": ("MySQL: Error Message Reference", "Access denied for user 'root'@'localhost' (using password: NO)"),
    "redis": ("Redis: ACL LOG", "WRONGPASS invalid username-password pair or user is disabled."),
    "redis-noauth": ("Redis: AUTH", "NOAUTH Authentication required."),
    "redis-bgsave": ("Redis: persistence", "12:C 12 Mar 2031 10:11:12.123 * DB saved on disk"),
    "hdfs-received": ("Hadoop HDFS DataNode log", "Received block blk_-1608999687919862906 of size 91178 from /10.250.10.6"),
    "hdfs-allocate": ("Hadoop HDFS NameNode log", "BLOCK* NameSystem.allocateBlock: /mnt/hadoop/job_200811092030_0001/job.jar. blk_7503483334202473044"),
    "hdfs-map": ("Hadoop HDFS NameNode log", "BLOCK* NameSystem.addStoredBlock: blockMap updated: 10.251.215.16:50010 is added to blk_-6952295868487656571 size 67108864"),
    "hdfs-responder": ("Hadoop HDFS DataNode log", "PacketResponder 1 for block blk_38865049064139660 terminating"),
    "hdfs-verify": ("Hadoop HDFS DataNode log", "Verification succeeded for blk_-4980916519894289629"),
    "nginx-combined": ("nginx: ngx_http_log_module", '192.0.2.7 - anna [12/Mar/2031:10:11:12 +0000] "GET /password/reset HTTP/1.1" 200 512 "https://shop.example/login" "Mozilla/5.0 (X11; Linux x86_64)"'),
    "nginx-page": ("nginx: ngx_http_log_module", '192.0.2.7 - - [12/Mar/2031:10:11:12 +0000] "GET /items?page=2&sort=key&tokens=3 HTTP/2.0" 200 9123 "-" "curl/8.5.0"'),
    "nginx-asset": ("nginx: ngx_http_log_module", '192.0.2.7 - - [12/Mar/2031:10:11:12 +0000] "GET /static/app.3f8a9c1d2e4b.js HTTP/2.0" 304 0 "-" "Mozilla/5.0"'),
    "nginx-error": ("nginx: core functionality", '2031/03/12 10:11:12 [error] 31#31: *4 open() "/srv/www/secrets.txt" failed (2: No such file or directory), client: 192.0.2.7'),
    "nginx-basic": ("nginx: ngx_http_auth_basic_module", 'user "anna": password mismatch, client: 192.0.2.7, server: shop.example'),
    "apache-common": ("Apache HTTP Server: Log Files", '192.0.2.7 - frank [10/Oct/2030:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326'),
    "apache-denied": ("Apache HTTP Server: Log Files", 'AH01617: user anna: authentication failure for "/private": Password Mismatch'),
    "haproxy": ("HAProxy: Logging", "192.0.2.7:51234 [12/Mar/2031:10:11:12.123] web~ app/s1 0/0/1/12/13 200 512 - - ---- 3/3/0/0/0 0/0"),
    "postfix-sasl": ("Postfix: SASL Howto", "warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: UGFzc3dvcmQ6"),
    "postfix-sent": ("Postfix: qmgr(8)", "4F2A91C3B0: to=<anna@corp.example>, relay=mx.corp.example[192.0.2.25]:25, delay=0.9, dsn=2.0.0, status=sent (250 OK)"),
    "dovecot": ("Dovecot: Logging", "imap-login: Login: user=<anna>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.8, mpid=4321, TLS, secured"),
    "dovecot-failed": ("Dovecot: Logging", "imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<anna>, method=PLAIN, rip=192.0.2.7"),
    "git": ("git-log(1)", "6dcb09b5b57875f334f61aebed695e2e4193db5e Rename token bucket to rate limiter"),
    "docker-image": ("Docker: image digests", "Digest: sha256:9b2f4c0f8a7d1e6c5b3a29187f6e5d4c3b2a19087f6e5d4c3b2a19087f6e5d4c"),
    "pip": ("pip install", "Successfully installed password-strength-0.0.3 PyJWT-2.10.1 tokenizers-0.21.0"),
    "celery": ("Celery: Task received", "Task accounts.send_password_reset[5a1d2c3b-1111-2222-3333-444455556666] succeeded in 0.12s: None"),
    "django": ("Django: Logging", "Forbidden (CSRF token missing.): /api/orders/"),
    "django-cookie": ("Django: Logging", "Forbidden (CSRF cookie not set.): /api/orders/"),
    "flask-jwt": ("PyJWT: exceptions", "Signature verification failed"),
    "json-parse": ("CPython: json", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    "js-token": ("MDN: SyntaxError", "Unexpected token < in JSON at position 0"),
    "compiler-token": ("GCC diagnostics", "error: expected primary-expression before ')' token"),
    "validation": ("Django: password validation", "This password is too short. It must contain at least 8 characters."),
    "validation-required": ("pydantic: missing", "password: Field required"),
}  # fmt: skip


def _messages() -> Iterator[AuditCase]:
    for number, (name, (page, message)) in enumerate(_MESSAGES.items()):
        fields = {
            "message": message,
            "host": "web1.corp.example",
            "pid": 4321 + number,
            "facility": "auth",
            "timestamp": "2031-03-12T10:11:12.123456+00:00",
        }
        yield AuditCase(f"message-{name}", page, "syslog.line", fields)


_RECORDS: dict[str, tuple[str, dict[str, Any]]] = {
    "csvlog": ("PostgreSQL: Using CSV-Format Log Output", {"log_time": "2031-03-12 10:11:12.123 UTC", "user_name": "anna", "database_name": "app", "connection_from": "192.0.2.7:51234", "session_start_time": "2031-03-12 10:11:00 UTC", "command_tag": "SELECT", "sql_state_code": "28P01", "query_pos": 12, "query_id": -3416356442043621232}),
    "pgaudit": ("pgAudit: Format", {"audit_type": "SESSION", "statement_id": 1, "class": "ROLE", "command": "ALTER ROLE", "object_name": "anna", "statement": "ALTER ROLE anna WITH PASSWORD <REDACTED>"}),
    "spf": ("RFC 8601: Authentication-Results", {"spf_pass": True, "dkim": "pass", "dmarc": "pass", "spf_domain": "corp.example", "dkim_selector": "s1", "arc_pass": False}),
    "mail": ("Amazon SES: event publishing", {"eventType": "Delivery", "mail": {"messageId": "0102018c-abcd-000000", "destination": ["anna@corp.example"], "source": "shop@corp.example"}, "delivery": {"processingTimeMillis": 812, "smtpResponse": "250 ok"}}),
    "llm-openai": ("OpenAI: the usage object", {"usage": {"prompt_tokens": 1123, "completion_tokens": 340, "total_tokens": 1463, "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 64}}}),
    "llm-anthropic": ("Anthropic: Messages, usage", {"usage": {"input_tokens": 2095, "output_tokens": 503, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}, "max_tokens": 4096, "stop_reason": "max_tokens"}),
    "llm-gemini": ("Gemini API: UsageMetadata", {"usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 80, "totalTokenCount": 90}, "maxOutputTokens": 8192}),
    "llm-otel": ("OpenTelemetry: GenAI semantic conventions", {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 180, "gen_ai.request.max_tokens": 1000, "gen_ai.token.type": "input"}),
    "llm-rate": ("OpenAI: rate limits", {"x-ratelimit-limit-tokens": "150000", "x-ratelimit-remaining-tokens": "149984", "x-ratelimit-reset-tokens": "6m0s"}),
    "llm-speed": ("vLLM: metrics", {"tokens_per_second": 43.2, "num_tokens": 512, "eos_token_id": 2, "pad_token_id": 0, "time_to_first_token_ms": 231.0}),
    "tokenizer": ("Hugging Face: generation configuration", {"max_new_tokens": 256, "min_new_tokens": 1, "model_max_length": 4096}),
    "flags": ("LaunchDarkly: evaluation reasons", {"flagKey": "new-password-form", "variation": 1, "value": True, "reason": {"kind": "RULE_MATCH", "ruleIndex": 0}}),
    "flags-unleash": ("Unleash: impression data", {"featureName": "token-refresh-v2", "enabled": True, "variant": "blue"}),
    "order": ("a shop's order", {"order_number": "2031-000123-77", "order_id": 100000123456, "tracking_number": "1Z999AA10123456784", "sku": "KEY-RING-22", "quantity": 3, "total": "129.90"}),
    "parcel": ("a carrier's event", {"tracking_id": "RR123456785CH", "status": "in_transit", "parcel_shop": "Bern 7"}),
    "phone": ("a phone system's call record", {"caller": "+41 31 555 01 23", "callee": "+1-202-555-0143", "duration": 73, "phone": "0041315550199"}),
    "numbers": ("timestamps of several units", {"epoch": 1931071872, "epoch_ms": 1931071872123, "epoch_us": 1931071872123456, "epoch_ns": 1931071872123456789, "uptime": 73812.25}),
    "times": ("ISO 8601", {"started": "2031-03-12T10:11:12.123456Z", "day": "2031-03-12", "basic": "20310312T101112Z", "week": "2031-W11-3"}),
    "digests": ("hex digests", {"sha256": "9b2f4c0f8a7d1e6c5b3a29187f6e5d4c3b2a19087f6e5d4c3b2a19087f6e5d4c", "sha1": "6dcb09b5b57875f334f61aebed695e2e4193db5e", "md5": "d41d8cd98f00b204e9800998ecf8427e", "etag": '"33a64df551425fcc55e4d42a148795d9f25f89d4"'}),
    "git": ("a build", {"commit": "6dcb09b5b57875f334f61aebed695e2e4193db5e", "branch": "main", "build_number": 20310312101112, "version": "4.17.21-rc.1+build.77"}),
    "ids": ("identifiers", {"of": {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "request_id": "5a1d2c3b-1111-2222-3333-444455556666", "ulid": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "object_id": "507f1f77bcf86cd799439011", "snowflake": 1098765432109876543}}),
    "traceparent": ("W3C: Trace Context", {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}),
    "net": ("addresses", {"ip": "192.0.2.7", "ip6": "2001:db8:85a3::8a2e:370:7334", "mac": "52:54:00:12:34:56", "port": 5432, "cidr": "198.51.100.0/24"}),
    "card": ("a payment's harmless parts", {"cardBrand": "visa", "last4": "4242", "card_type": "debit", "expMonth": 12, "bin": "424242", "card_present": False}),
    "card-result": ("a gateway's answer", {"avs_result": "Y", "cvv_result": "M", "cvvCheck": "pass", "auth_code_present": True}),
    "iban-free": ("a transfer's harmless parts", {"amount": "100.00", "currency": "CHF", "bank_code": "0900", "reference": "INV-2031-0042"}),
    "geo": ("coordinates", {"lat": 46.947974, "lon": 7.447447, "plus_code": "8FR9WCXX+XX", "accuracy": 12.5}),
    "http": ("OpenTelemetry: HTTP semantic conventions", {"http.request.method": "POST", "url.path": "/oauth/token", "http.response.status_code": 200, "user_agent.original": "curl/8.5.0", "server.address": "id.example"}),
    "db": ("OpenTelemetry: database semantic conventions", {"db.system.name": "postgresql", "db.query.text": "SELECT * FROM sessions WHERE id = $1", "db.collection.name": "password_resets"}),
    "url": ("plain links", {"url": "https://shop.example/items?page=2&sort=price", "docs": "https://docs.example/api#authentication", "repo": "git@github.com:acme/app.git", "mailto": "mailto:anna@corp.example"}),
    "dsn-plain": ("addresses without a password", {"database": "postgresql://db.example:5432/app", "user_only": "postgresql://anna@db.example/app", "cache": "redis://cache.example:6379/0"}),
    "tls": ("a TLS handshake", {"tls_version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384", "server_name": "shop.example", "key_exchange": "X25519"}),
    "metrics": ("a summary of metrics", {"p50": 1.25, "p99": 12.5, "count": 123456789012, "errors": 0, "bytes": 18446744073709551}),
    "paths": ("file names", {"file": "/srv/app/auth/tokens.py", "key_file": "/etc/ssl/private/web.key", "password_file": "/run/secrets/db_password", "module": "django.contrib.auth.hashers"}),
    "lambda-report": ("AWS Lambda: REPORT line", {"report": "REPORT RequestId: 5a1d2c3b-1111-2222-3333-444455556666 Duration: 12.34 ms Billed Duration: 13 ms Memory Size: 128 MB"}),
    "rate-limit": ("a token bucket", {"bucket": "login", "tokens_left": 12, "tokens_per_second": 5, "capacity": 60}),
    "search": ("a search", {"query": "how to reset a password", "keywords": ["password manager", "api key rotation"], "hits": 12}),
    "keyboard": ("harmless names near secret ones", {"keyboard": "de", "monkey": "yes", "tokenizer": "bpe", "secretary": "Anna", "hotkey": "ctrl+k", "passport_country": "CH"}),
}  # fmt: skip


def _records() -> Iterator[AuditCase]:
    for name, (page, fields) in _RECORDS.items():
        yield AuditCase(f"record-{name}", page, "record.seen", fields)


def cases() -> Iterator[AuditCase]:
    """Yield the events of systems."""
    for events in (_stripe, _messages, _records):
        yield from events()
