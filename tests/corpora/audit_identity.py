"""Harmless events of who did what: GitHub, Okta, Auth0, Vault, Slack, OAuth's metadata and rules for passwords."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from corpora.audit_cloud import some, uuid
from corpora.cases import AuditCase

__all__ = ["cases"]

_HEX = "0123456789abcdef"

_GITHUB: dict[str, dict[str, Any]] = {
    "personal_access_token.access_granted": {"token_scopes": "contents:read, metadata:read", "repository_selection": "subset"},
    "personal_access_token.request_created": {"user_programmatic_access_name": "ci", "token_scopes": "read:org"},
    "personal_access_token.access_revoked": {"token_id": 41234567},
    "oauth_access.create": {"oauth_application_name": "dashboard", "token_scopes": "repo,user"},
    "oauth_authorization.create": {"scopes": "read:user", "oauth_application_id": 91234},
    "oauth_application.generate_client_secret": {"oauth_application_name": "dashboard"},
    "org.update_actions_secret": {"key": "NPM_TOKEN", "visibility": "private"},
    "org.create_actions_secret": {"key": "DEPLOY_KEY", "visibility": "all"},
    "org.remove_actions_secret": {"key": "OLD_PASSWORD"},
    "repo.create_actions_secret": {"repo": "acme/app", "key": "API_KEY"},
    "codespaces.create_an_org_secret": {"name": "REGISTRY_TOKEN"},
    "dependabot_alerts.enable": {"repo": "acme/app"},
    "secret_scanning_alert.create": {"repo": "acme/app", "number": 12, "secret_type": "github_personal_access_token", "secret_type_display_name": "GitHub Personal Access Token"},
    "secret_scanning_alert.resolve": {"number": 12, "resolution": "revoked"},
    "secret_scanning_push_protection.enable": {"repo": "acme/app"},
    "secret_scanning.enable": {"repo": "acme/app"},
    "public_key.create": {"title": "laptop", "fingerprint": "SHA256:uNiVztksCsDhcc0u9e8BrrJXVGVt8y2mQ3n1sGx0fAo", "read_only": "true"},
    "public_key.delete": {"title": "laptop", "fingerprint": "SHA256:Lx2o0R3m8o1S0D5sLk1JwqZp6bT9nYvCcE4hG7uWfKM"},
    "gpg_key.create": {"key_id": "3262EFF25BA0D270"},
    "repo.add_deploy_key": {"repo": "acme/app", "read_only": True},
    "two_factor_authentication.enabled": {"user": "anna"},
    "two_factor_authentication.recovery_codes_regenerated": {"user": "anna"},
    "user.forgot_password": {"user": "anna"},
    "user.change_password": {"user": "anna"},
    "user.login": {"user": "anna", "country_code": "CH"},
    "org.sso_response": {"issuer": "https://idp.example/sso", "external_identity_nameid": "anna@corp.example"},
    "org_credential_authorization.grant": {"credential_type": "SSH key"},
    "git.clone": {"repository": "acme/app", "transport_protocol_name": "ssh", "programmatic_access_type": "Fine-grained personal access token"},
    "git.push": {"repository": "acme/app", "after": "6dcb09b5b57875f334f61aebed695e2e4193db5e", "before": "0000000000000000000000000000000000000000"},
    "hook.create": {"hook_id": 1234, "events": ["push"], "config": {"url": "https://ci.example/hook", "content_type": "json", "insecure_ssl": "0"}},
    "protected_branch.update": {"branch": "main"},
    "workflows.completed_workflow_run": {"head_sha": "6dcb09b5b57875f334f61aebed695e2e4193db5e", "run_number": 88},
}  # fmt: skip


def _github() -> Iterator[AuditCase]:
    for action, more in _GITHUB.items():
        random = Random(action)
        fields = {
            "action": action,
            "actor": "anna",
            "actor_id": 1234567,
            "org": "acme",
            "actor_ip": "192.0.2.30",
            "_document_id": some(random, _HEX, 22),
            "@timestamp": 1931071872123,
            "created_at": 1931071872123,
            "request_id": some(random, "ABCDEF0123456789", 20),
            "user_agent": "git/2.43.0",
            **more,
        }
        yield AuditCase(
            f"github-{action}", "GitHub: Audit log events for your organization", "github.audit", fields
        )


_OKTA = (
    "user.session.start", "user.session.end", "user.account.reset_password", "user.account.update_password", "user.account.privilege.grant",
    "user.account.unlock", "user.mfa.factor.activate", "user.mfa.factor.reset_all", "user.authentication.sso", "user.authentication.auth_via_mfa",
    "user.credential.enroll", "system.api_token.create", "system.api_token.revoke", "app.oauth2.token.grant.access_token",
    "app.oauth2.token.grant.refresh_token", "app.oauth2.client.lifecycle.create", "app.oauth2.credentials.lifecycle.create",
    "policy.rule.update", "security.threat.detected", "application.user_membership.change_password",
)  # fmt: skip


def _okta() -> Iterator[AuditCase]:
    for number, kind in enumerate(_OKTA):
        random = Random(kind)
        fields = {
            "uuid": uuid(random),
            "published": "2031-03-12T10:11:12.123Z",
            "eventType": kind,
            "version": "0",
            "severity": "INFO",
            "displayMessage": ("User login to Okta", "User update password for Okta", "Create API token", "OAuth2 access token is granted")[number % 4],
            "actor": {"id": f"00u{some(random, _HEX, 17)}", "type": "User", "alternateId": "anna@corp.example", "displayName": "Anna"},
            "client": {"userAgent": {"os": "Linux", "browser": "FIREFOX"}, "zone": "null", "device": "Computer", "ipAddress": "192.0.2.31"},
            "outcome": {"result": "FAILURE", "reason": "INVALID_CREDENTIALS"} if number % 3 == 0 else {"result": "SUCCESS", "reason": None},
            "authenticationContext": {"authenticationProvider": "OKTA_AUTHENTICATION_PROVIDER", "credentialProvider": "OKTA_CREDENTIAL_PROVIDER", "credentialType": ("PASSWORD", "OTP", "ASSERTION", "OAuth2")[number % 4], "authenticationStep": 0},
            "securityContext": {"asNumber": 64500, "isProxy": False},
            "target": [{"id": f"0oa{some(random, _HEX, 17)}", "type": "access_token" if "token" in kind else "AppInstance", "displayName": "Access Token"}],
        }  # fmt: skip
        yield AuditCase(f"okta-{kind}", "Okta: System Log API, LogEvent object", "okta.log", fields)


_AUTH0 = {
    "s": "Successful login", "f": "Failed login", "fp": "Wrong password", "fu": "Invalid email or username", "scp": "Successful change password",
    "fcp": "Failed change password", "scpr": "Success change password request", "pwd_leak": "Breached password", "sepft": "Successful exchange of password for access token",
    "seacft": "Successful exchange of authorization code for access token", "sertft": "Successful exchange of refresh token", "seccft": "Client credentials exchange",
    "fertft": "Failed exchange of refresh token", "slo": "User successfully logged out", "sv": "Success verification email", "gd_auth_succeed": "Second factor succeeded",
    "gd_recovery_succeed": "Recovery succeeded", "limit_wc": "Blocked account", "api_limit": "Rate limit on an API", "sapi": "API operation",
}  # fmt: skip


def _auth0() -> Iterator[AuditCase]:
    for code, description in _AUTH0.items():
        random = Random(code)
        fields = {
            "date": "2031-03-12T10:11:12.123Z",
            "type": code,
            "description": description,
            "connection": "Username-Password-Authentication",
            "connection_id": f"con_{some(random, _HEX, 16)}",
            "client_id": some(random, "abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789", 32),
            "client_name": "web",
            "ip": "192.0.2.32",
            "user_id": f"auth0|{some(random, _HEX, 24)}",
            "user_name": "anna@corp.example",
            "details": {
                "prompts": [{"name": "prompt-authenticate", "flow": "login"}],
                "stats": {"loginsCount": 12},
                "grantType": "authorization_code",
            },
            "audience": "https://api.corp.example/",
            "scope": "openid profile offline_access",
            "strategy": "auth0",
            "log_id": some(random, "0123456789", 20) + "x",
        }
        yield AuditCase(f"auth0-{code}", "Auth0: Log Event Type Codes", "auth0.log", fields)


_VAULT = (
    ("read", "secret/data/billing"), ("list", "secret/metadata/"), ("update", "secret/data/mail"), ("delete", "secret/data/old"), ("update", "auth/token/renew-self"),
    ("read", "auth/token/lookup-self"), ("update", "auth/approle/login"), ("update", "auth/kubernetes/login"), ("update", "transit/encrypt/orders"),
    ("read", "database/creds/readonly"), ("read", "pki/cert/ca"), ("read", "sys/policies/acl/default"), ("update", "sys/leases/revoke"), ("read", "sys/health"),
)  # fmt: skip


def _vault() -> Iterator[AuditCase]:
    for operation, path in _VAULT:
        for kind in ("request", "response"):
            random = Random(f"{operation}/{path}/{kind}")
            fields = {
                "time": "2031-03-12T10:11:12.123456789Z",
                "type": kind,
                "auth": {
                    "accessor": f"hmac-sha256:{some(random, _HEX, 64)}",
                    "display_name": "approle",
                    "policies": ["default", "billing"],
                    "token_policies": ["default", "billing"],
                    "policy_results": {"allowed": True},
                    "metadata": {"role_name": "billing"},
                    "entity_id": uuid(random),
                    "token_type": "service",
                    "token_ttl": 3600,
                    "token_issue_time": "2031-03-12T09:11:12Z",
                },
                "request": {"id": uuid(random), "operation": operation, "mount_type": "kv", "namespace": {"id": "root"}, "path": path, "remote_address": "192.0.2.33", "remote_port": 51234},
            }  # fmt: skip
            yield AuditCase(
                f"vault-{kind}-{operation}-{path}", "HashiCorp Vault: Audit devices", "vault.audit", fields
            )


_SLACK = (
    "user_login", "user_login_failed", "user_logout", "app_installed", "app_scopes_expanded", "app_token_preserved", "pref.two_factor_auth_changed",
    "user_session_reset_by_admin", "workflow_created", "file_downloaded", "role_change_to_admin", "pref.sso_setting_changed",
)  # fmt: skip


def _slack() -> Iterator[AuditCase]:
    for action in _SLACK:
        random = Random(action)
        fields = {
            "id": uuid(random),
            "date_create": 1931071872,
            "action": action,
            "actor": {
                "type": "user",
                "user": {"id": "W123AB456", "name": "Anna", "email": "anna@corp.example"},
            },
            "entity": {
                "type": "app",
                "app": {
                    "id": "A123",
                    "name": "bot",
                    "is_distributed": True,
                    "scopes": ["tokens.basic", "chat:write"],
                },
            },
            "context": {
                "location": {"type": "workspace", "id": "T123AB456"},
                "ua": "Mozilla/5.0",
                "ip_address": "192.0.2.34",
            },
            "details": {"new_scopes": ["users:read"], "is_token_rotation_enabled_app": False},
        }
        yield AuditCase(f"slack-{action}", "Slack: Audit Logs API", "slack.audit", fields)


_SETTINGS: dict[str, dict[str, Any]] = {
    "oidc-discovery": {"issuer": "https://id.example", "authorization_endpoint": "https://id.example/auth", "token_endpoint": "https://id.example/token", "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"], "jwks_uri": "https://id.example/jwks", "id_token_signing_alg_values_supported": ["RS256"]},
    "oauth-introspection": {"endpoint": "https://id.example/introspect", "revocation_endpoint": "https://id.example/revoke", "introspection_endpoint_auth_methods_supported": ["client_secret_post"]},
    "oauth-token-metadata": {"token_type": "Bearer", "expires_in": 3600, "scope": "read write", "grant_type": "client_credentials", "refresh_token_expires_in": 86400},
    "oauth-flow": {"grant_type": "password", "response_type": "code", "code_challenge_method": "S256", "client_auth_method": "client_secret_basic"},
    "oauth-error": {"error": "invalid_token", "error_description": "The access token expired"},
    "oauth-error-client": {"error": "invalid_client", "error_description": "Client authentication failed: unknown client"},
    "password-age": {"password_last_changed": "2031-01-02T03:04:05Z", "password_expires_at": "2031-04-02T03:04:05Z", "password_age_days": 69},
    "password-policy": {"password_policy": {"min_length": 12, "require_digit": True, "history": 5}, "max_password_age": 90},
    "password-flags": {"must_change_password": True, "password_reset_required": False, "password_enabled": "true", "has_password": True},
    "password-strength": {"password_strength": 3, "password_length_min": 12, "failed_password_attempts": 2},
    "password-counts": {"password_changes": 3, "password_resets_today": 1},
    "ldap-attributes": {"pwdLastSet": "2031-01-02T03:04:05Z", "badPwdCount": 0, "pwdChangedTime": "20310102030405Z"},
    "iam-credential-report": {"password_enabled": "true", "password_last_used": "2031-03-01T00:00:00+00:00", "mfa_active": "true", "access_key_1_active": "true", "access_key_1_last_rotated": "2031-02-01T00:00:00+00:00"},
    "secret-names": {"secret_name": "prod/billing/database", "secret_arn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/mail-AbCdEf", "secret_id": "prod/mail"},
    "secret-facts": {"secret_type": "kubernetes.io/tls", "secret_version": 4, "secrets_count": 12, "secret_rotation_enabled": True},
    "token-facts": {"token_type": "access", "token_count": 3, "token_expired": True, "token_expires_at": "2031-03-12T11:00:00Z", "token_issuer": "https://id.example", "token_name": "ci"},
    "key-facts": {"key_type": "RSA", "key_size": 4096, "key_algorithm": "SHA256withRSA", "key_usage": ["digitalSignature"], "kms_key_id": "alias/billing"},
    "api-key-facts": {"api_key_name": "ci", "api_key_count": 2, "api_key_created_at": "2031-03-12T10:11:12Z"},
    "database-keys": {"primary_key": "id", "foreign_key": "orders.user_id", "partition_key": "tenant", "sort_key": "created", "cache_key": "user:7:profile", "routing_key": "orders.created"},
    "session-facts": {"session_duration": 1834, "session_count": 3, "session_timeout": 900, "session_started_at": "2031-03-12T10:11:12Z"},
    "cookie-policy": {"cookie_consent": True, "cookie_policy": "strict", "cookies_enabled": True},
    "auth-facts": {"auth_method": "password", "auth_type": "basic", "auth_provider": "ldap", "authenticated": True, "author": "anna", "authority": "registry"},
    "mfa-facts": {"mfa_enabled": True, "mfa_method": "totp", "mfaAuthenticated": "false", "MFAUsed": "No", "otp_enabled": True},
    "pin-facts": {"pin_code_length": 4, "pinned": True, "pinned_at": "2031-03-12", "spin": 3, "shipping": "post"},
    "compass": {"passenger": "Anna", "compass": "north", "passed": 12, "bypass": False, "pass_rate": 0.98},
    "certificate": {"fingerprint": "AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01", "serial_number": "04:9f:3a:11", "subject": "CN=www.example", "not_after": "2032-01-01T00:00:00Z"},
    "public-key": {"public_key_fingerprint": "SHA256:uNiVztksCsDhcc0u9e8BrrJXVGVt8y2mQ3n1sGx0fAo", "public_key_type": "ssh-ed25519"},
}  # fmt: skip


def _settings() -> Iterator[AuditCase]:
    for name, fields in _SETTINGS.items():
        yield AuditCase(
            f"identity-{name}",
            "OpenID Connect Discovery, RFC 6749 and settings of that kind",
            "identity.changed",
            fields,
        )


def cases() -> Iterator[AuditCase]:
    """Yield the events of identities."""
    for events in (_github, _okta, _auth0, _vault, _slack, _settings):
        yield from events()
