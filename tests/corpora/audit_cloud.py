"""Harmless events of clouds: AWS CloudTrail, Kubernetes, Google Cloud, Microsoft Entra and Azure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from corpora.cases import AuditCase

__all__ = ["cases"]

_HEX = "0123456789abcdef"
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def some(random: Random, alphabet: str, count: int) -> str:
    """Return this many random characters."""
    return "".join(random.choice(alphabet) for _ in range(count))


def uuid(random: Random) -> str:
    """Return a random identifier in the form of a UUID."""
    return "-".join(some(random, _HEX, count) for count in (8, 4, 4, 4, 12))


_TRAIL: dict[str, tuple[tuple[str, dict[str, Any], dict[str, Any] | None], ...]] = {
    "iam": (
        ("CreateUser", {"userName": "anna"}, {"user": {"path": "/", "userName": "anna", "userId": "AIDAQRSTUVWXYZ234567A"}}),
        ("CreateAccessKey", {"userName": "anna"}, {"accessKey": {"accessKeyId": "AKIAQRSTUVWXYZ234567", "status": "Active", "userName": "anna"}}),
        ("UpdateAccessKey", {"accessKeyId": "AKIAQRSTUVWXYZ234567", "status": "Inactive", "userName": "anna"}, None),
        ("DeleteAccessKey", {"accessKeyId": "AKIAQRSTUVWXYZ234567", "userName": "anna"}, None),
        ("GetAccessKeyLastUsed", {"accessKeyId": "AKIAQRSTUVWXYZ234567"}, None),
        ("UpdateLoginProfile", {"userName": "anna", "passwordResetRequired": True}, None),
        ("CreateLoginProfile", {"userName": "anna", "passwordResetRequired": False}, {"loginProfile": {"userName": "anna", "passwordResetRequired": False}}),
        ("ChangePassword", None, None),
        ("UpdateAccountPasswordPolicy", {"minimumPasswordLength": 14, "requireSymbols": True, "requireNumbers": True, "allowUsersToChangePassword": True, "maxPasswordAge": 90, "passwordReusePrevention": 5, "hardExpiry": False}, None),
        ("GetAccountPasswordPolicy", None, {"passwordPolicy": {"minimumPasswordLength": 8, "expirePasswords": False}}),
        ("AttachUserPolicy", {"userName": "anna", "policyArn": "arn:aws:iam::aws:policy/SecretsManagerReadWrite"}, None),
        ("EnableMFADevice", {"userName": "anna", "serialNumber": "arn:aws:iam::111122223333:mfa/anna"}, None),
        ("UploadSSHPublicKey", {"userName": "anna"}, {"sSHPublicKey": {"sSHPublicKeyId": "APKAQRSTUVWXYZ234567", "fingerprint": "8c:3b:1d:ee:40:7f:95:61:c2:70:aa:09:d4:b1:3e:52", "status": "Active"}}),
        ("GenerateCredentialReport", None, {"state": "STARTED", "description": "No report exists. Starting a new report generation task"}),
        ("GetCredentialReport", None, None),
        ("ListServiceSpecificCredentials", {"userName": "anna", "serviceName": "codecommit.amazonaws.com"}, None),
    ),
    "secretsmanager": (
        ("GetSecretValue", {"secretId": "prod/billing/database", "versionStage": "AWSCURRENT"}, None),
        ("DescribeSecret", {"secretId": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/mail-AbCdEf"}, None),
        ("CreateSecret", {"name": "prod/billing/api"}, {"arn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/billing/api-QwErTy"}),
        ("RotateSecret", {"secretId": "prod/mail", "rotationRules": {"automaticallyAfterDays": 30}}, None),
        ("DeleteSecret", {"secretId": "old/ftp", "recoveryWindowInDays": 7}, {"name": "old/ftp", "deletionDate": "Mar 19, 2031, 10:11:12 AM"}),
        ("ListSecrets", {"maxResults": 100}, None),
        ("TagResource", {"secretId": "prod/mail", "tags": [{"key": "team", "value": "payments"}]}, None),
    ),
    "kms": (
        ("Decrypt", {"keyId": "arn:aws:kms:eu-west-1:111122223333:key/8f5a1c2b-1111-2222-3333-444455556666", "encryptionAlgorithm": "SYMMETRIC_DEFAULT", "encryptionContext": {"SecretARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/mail-AbCdEf"}}, None),
        ("GenerateDataKey", {"keyId": "alias/billing", "keySpec": "AES_256"}, None),
        ("CreateKey", {"keyUsage": "ENCRYPT_DECRYPT", "keySpec": "SYMMETRIC_DEFAULT", "description": "billing"}, {"keyMetadata": {"keyId": "8f5a1c2b-1111-2222-3333-444455556666", "keyState": "Enabled", "keyManager": "CUSTOMER"}}),
        ("ScheduleKeyDeletion", {"keyId": "8f5a1c2b-1111-2222-3333-444455556666", "pendingWindowInDays": 30}, None),
        ("EnableKeyRotation", {"keyId": "8f5a1c2b-1111-2222-3333-444455556666"}, None),
        ("CreateAlias", {"aliasName": "alias/billing", "targetKeyId": "8f5a1c2b-1111-2222-3333-444455556666"}, None),
    ),
    "signin": (
        ("ConsoleLogin", None, {"ConsoleLogin": "Success"}),
        ("SwitchRole", None, {"SwitchRole": "Success"}),
        ("CheckMfa", None, {"CheckMfa": "Success"}),
        ("PasswordRecoveryRequested", None, {"PasswordRecoveryRequested": "Success"}),
        ("PasswordRecoveryCompleted", None, {"PasswordRecoveryCompleted": "Success"}),
    ),
    "sts": (
        ("AssumeRole", {"roleArn": "arn:aws:iam::111122223333:role/deploy", "roleSessionName": "ci-1234", "durationSeconds": 3600}, {"assumedRoleUser": {"arn": "arn:aws:sts::111122223333:assumed-role/deploy/ci-1234"}}),
        ("GetCallerIdentity", None, None),
        ("GetSessionToken", {"durationSeconds": 900, "serialNumber": "arn:aws:iam::111122223333:mfa/anna"}, None),
        ("AssumeRoleWithWebIdentity", {"roleArn": "arn:aws:iam::111122223333:role/pod", "roleSessionName": "pod"}, {"audience": "sts.amazonaws.com", "provider": "oidc.example", "subjectFromWebIdentityToken": "system:serviceaccount:web:api"}),
    ),
    "ec2": (
        ("RunInstances", {"instancesSet": {"items": [{"imageId": "ami-0abc1234def567890", "keyName": "deploy-key"}]}, "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 2, "httpEndpoint": "enabled"}}, None),
        ("ModifyInstanceMetadataOptions", {"instanceId": "i-0123456789abcdef0", "HttpTokens": "optional"}, None),
        ("CreateKeyPair", {"keyName": "deploy-key", "keyType": "ed25519"}, {"keyName": "deploy-key", "keyPairId": "key-0123456789abcdef0", "keyFingerprint": "1f:51:ae:28:bf:89:e9:d8:1f:25:5d:37:2d:7d:b8:ca"}),
        ("GetPasswordData", {"instanceId": "i-0123456789abcdef0"}, None),
        ("AuthorizeSecurityGroupIngress", {"groupId": "sg-0123456789abcdef0", "ipPermissions": {"items": [{"ipProtocol": "tcp", "fromPort": 443, "toPort": 443}]}}, None),
    ),
    "s3": (
        ("GetObject", {"bucketName": "reports", "key": "2031/03/report.pdf", "Host": "reports.s3.amazonaws.com"}, None),
        ("PutBucketEncryption", {"bucketName": "reports", "ServerSideEncryptionConfiguration": {"Rule": {"BucketKeyEnabled": True, "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}}}, None),
        ("PutObject", {"bucketName": "reports", "key": "keys/public.pem", "x-amz-server-side-encryption": "AES256"}, {"x-amz-server-side-encryption": "AES256"}),
    ),
    "rds": (
        ("ModifyDBInstance", {"dBInstanceIdentifier": "billing", "manageMasterUserPassword": True, "applyImmediately": True}, {"masterUsername": "dba", "iAMDatabaseAuthenticationEnabled": False}),
        ("CreateDBInstance", {"dBInstanceIdentifier": "billing", "masterUsername": "dba", "engine": "postgres"}, None),
    ),
    "cognito-idp": (
        ("AdminResetUserPassword", {"userPoolId": "eu-west-1_aBcDeFgHi"}, None),
        ("CreateUserPoolClient", {"clientName": "web", "generateSecret": True, "refreshTokenValidity": 30, "accessTokenValidity": 60, "idTokenValidity": 60, "tokenValidityUnits": {"accessToken": "minutes", "refreshToken": "days"}, "enableTokenRevocation": True}, None),
        ("SetUserPoolMfaConfig", {"mfaConfiguration": "OPTIONAL", "softwareTokenMfaConfiguration": {"enabled": True}}, None),
        ("UpdateUserPool", {"policies": {"passwordPolicy": {"minimumLength": 12, "requireUppercase": True, "temporaryPasswordValidityDays": 7}}}, None),
    ),
    "lambda": (
        ("UpdateFunctionConfiguration20150331v2", {"functionName": "billing", "timeout": 30, "kMSKeyArn": ""}, {"codeSha256": "9pXbKkH5l0Yx1cX0m9vQyA8H0hL1zq3sXGd7g0bJk2E="}),
        ("Invoke", {"functionName": "billing", "invocationType": "Event"}, None),
    ),
    "ssm": (
        ("GetParameter", {"name": "/prod/db/password", "withDecryption": True}, None),
        ("PutParameter", {"name": "/prod/api/token", "type": "SecureString", "tier": "Standard", "overwrite": True}, {"version": 4}),
    ),
}  # fmt: skip


def _cloudtrail() -> Iterator[AuditCase]:
    for service, events in _TRAIL.items():
        for name, request, response in events:
            random = Random(f"{service}/{name}")
            fields: dict[str, Any] = {
                "eventVersion": "1.11",
                "userIdentity": {
                    "type": "AssumedRole",
                    "principalId": f"AROA{some(random, _BASE32, 17)}:anna",
                    "accountId": "111122223333",
                    "accessKeyId": f"ASIA{some(random, _BASE32, 16)}",
                    "sessionContext": {
                        "sessionIssuer": {"type": "Role", "userName": "admin"},
                        "attributes": {"creationDate": "2031-03-12T10:11:12Z", "mfaAuthenticated": "true"},
                    },
                },
                "eventSource": f"{service}.amazonaws.com",
                "eventName": name,
                "awsRegion": "eu-west-1",
                "sourceIPAddress": "192.0.2.17",
                "requestParameters": request,
                "responseElements": response,
                "requestID": uuid(random),
                "eventID": uuid(random),
                "readOnly": name.startswith(("Get", "List", "Describe")),
                "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256"},
            }
            if service == "signin":
                fields["additionalEventData"] = {
                    "MFAUsed": "Yes",
                    "LoginTo": "https://console.aws.amazon.com/",
                    "MobileVersion": "No",
                }
            yield AuditCase(
                f"cloudtrail-{service}-{name}", "AWS CloudTrail record contents", "aws.trail", fields
            )


_KUBERNETES = [
    (verb, resource, reason)
    for resource, reason in (
        ("secrets", 'RBAC: allowed by RoleBinding "read-secrets/web" of Role "read-secrets"'),
        ("serviceaccounts/token", 'RBAC: allowed by ClusterRoleBinding "system:node"'),
        ("tokenreviews", 'RBAC: allowed by ClusterRoleBinding "system:auth-delegator"'),
        ("pods", ""),
        ("configmaps", ""),
        ("certificatesigningrequests", ""),
    )
    for verb in ("get", "list", "create", "patch", "delete")
]


def _kubernetes() -> Iterator[AuditCase]:
    for verb, resource, reason in _KUBERNETES:
        random = Random(f"{verb}/{resource}")
        kind, _, sub = resource.partition("/")
        reference: dict[str, Any] = {
            "resource": kind,
            "namespace": "web",
            "name": "api-token",
            "apiVersion": "v1",
        }
        if sub:
            reference["subresource"] = sub
        fields = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "auditID": uuid(random),
            "stage": "ResponseComplete",
            "requestURI": f"/api/v1/namespaces/web/{kind}/api-token?timeout=30s",
            "verb": verb,
            "user": {
                "username": "system:serviceaccount:web:deployer",
                "uid": uuid(random),
                "groups": ["system:serviceaccounts", "system:authenticated"],
                "extra": {"authentication.kubernetes.io/pod-name": ["deployer-7d9f"], "authentication.kubernetes.io/credential-id": [f"JTI={uuid(random)}"]},
            },
            "sourceIPs": ["192.0.2.4"],
            "userAgent": "kubectl/v1.31.0 (linux/amd64) kubernetes/9edcffc",
            "objectRef": reference,
            "responseStatus": {"metadata": {}, "code": 200},
            "requestReceivedTimestamp": "2031-03-12T10:11:12.123456Z",
            "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": reason},
        }  # fmt: skip
        yield AuditCase(
            f"kubernetes-{verb}-{resource}",
            "Kubernetes: Auditing (audit.k8s.io/v1 Event)",
            "k8s.audit",
            fields,
        )


_GOOGLE = (
    ("secretmanager.googleapis.com", "AccessSecretVersion", "projects/1/secrets/db-password/versions/3", "secretmanager.versions.access"),
    ("secretmanager.googleapis.com", "CreateSecret", "projects/1/secrets/api-key", "secretmanager.secrets.create"),
    ("secretmanager.googleapis.com", "ListSecrets", "projects/1", "secretmanager.secrets.list"),
    ("iam.googleapis.com", "CreateServiceAccountKey", "projects/-/serviceAccounts/1234567890", "iam.serviceAccountKeys.create"),
    ("iam.googleapis.com", "SetIamPolicy", "projects/p", "resourcemanager.projects.setIamPolicy"),
    ("iamcredentials.googleapis.com", "GenerateAccessToken", "projects/-/serviceAccounts/1234567890", "iam.serviceAccounts.getAccessToken"),
    ("cloudkms.googleapis.com", "Decrypt", "projects/p/locations/eu/keyRings/r/cryptoKeys/k", "cloudkms.cryptoKeyVersions.useToDecrypt"),
    ("cloudkms.googleapis.com", "CreateCryptoKey", "projects/p/locations/eu/keyRings/r", "cloudkms.cryptoKeys.create"),
    ("storage.googleapis.com", "storage.objects.get", "projects/_/buckets/b/objects/tokens.csv", "storage.objects.get"),
    ("compute.googleapis.com", "v1.compute.instances.insert", "projects/p/zones/z/instances/i", "compute.instances.create"),
    ("cloudsql.googleapis.com", "cloudsql.users.update", "projects/p/instances/db", "cloudsql.users.update"),
    ("container.googleapis.com", "google.container.v1.ClusterManager.GetCluster", "projects/p/zones/z/clusters/c", "container.clusters.get"),
    ("apikeys.googleapis.com", "google.api.apikeys.v2.ApiKeys.CreateKey", "projects/p/locations/global", "apikeys.keys.create"),
    ("bigquery.googleapis.com", "google.cloud.bigquery.v2.JobService.InsertJob", "projects/p/jobs/job_1", "bigquery.jobs.create"),
)  # fmt: skip


def _google() -> Iterator[AuditCase]:
    for service, method, resource, permission in _GOOGLE:
        for granted in (True, False):
            random = Random(f"{service}/{method}/{granted}")
            fields = {
                "protoPayload": {
                    "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
                    "authenticationInfo": {
                        "principalEmail": "deployer@p.iam.gserviceaccount.example",
                        "serviceAccountKeyName": f"//iam.googleapis.com/projects/p/serviceAccounts/d/keys/{some(random, _HEX, 40)}",
                        "principalSubject": "serviceAccount:deployer@p.iam.gserviceaccount.example",
                    },
                    "authorizationInfo": [
                        {
                            "resource": resource,
                            "permission": permission,
                            "granted": granted,
                            "resourceAttributes": {},
                        }
                    ],
                    "requestMetadata": {"callerIp": "192.0.2.9", "callerSuppliedUserAgent": "gcloud/500.0"},
                    "serviceName": service,
                    "methodName": method,
                    "resourceName": resource,
                    "status": {} if granted else {"code": 7, "message": "PERMISSION_DENIED"},
                },
                "insertId": some(random, _HEX, 12),
                "severity": "NOTICE",
                "timestamp": "2031-03-12T10:11:12.123456789Z",
            }
            yield AuditCase(f"google-{method}-{granted}", "Google Cloud: AuditLog", "gcp.audit", fields)


_ENTRA: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("password", {"authenticationMethod": "Password", "authenticationMethodDetail": "Password in the cloud", "succeeded": True, "authenticationStepResultDetail": "Correct password"}),
    ("wrong-password", {"authenticationMethod": "Password", "succeeded": False, "authenticationStepResultDetail": "Invalid username or password or Invalid on-premise username or password."}),
    ("expired-password", {"authenticationMethod": "Password", "succeeded": False, "authenticationStepResultDetail": "The password is expired."}),
    ("mfa", {"authenticationMethod": "Mobile app notification", "succeeded": True, "authenticationStepResultDetail": "MFA completed in Azure AD"}),
    ("claim", {"authenticationMethod": "Previously satisfied", "succeeded": True, "authenticationStepResultDetail": "MFA requirement satisfied by claim in the token"}),
    ("passkey", {"authenticationMethod": "Passkey (device-bound)", "succeeded": True, "authenticationStepResultDetail": ""}),
    ("otp", {"authenticationMethod": "OATH verification code", "succeeded": True, "authenticationStepResultDetail": "MFA completed"}),
    ("text", {"authenticationMethod": "Text message", "succeeded": False, "authenticationStepResultDetail": "Authentication in progress"}),
)  # fmt: skip


def _entra() -> Iterator[AuditCase]:
    for name, detail in _ENTRA:
        for kind in ("none", "primaryRefreshToken"):
            random = Random(f"{name}/{kind}")
            fields = {
                "id": uuid(random),
                "createdDateTime": "2031-03-12T10:11:12Z",
                "userPrincipalName": "anna@corp.example",
                "appDisplayName": "Portal",
                "appId": uuid(random),
                "clientAppUsed": "Browser",
                "clientCredentialType": "none",
                "incomingTokenType": kind,
                "tokenIssuerType": "AzureAD",
                "tokenIssuerName": "",
                "tokenProtectionStatusDetails": {"signInSessionStatus": "unbound"},
                "authenticationRequirement": "singleFactorAuthentication",
                "authenticationDetails": [{"authenticationStepDateTime": "2031-03-12T10:11:12Z", **detail}],
                "status": {"errorCode": 0, "failureReason": "Other."},
                "conditionalAccessStatus": "notApplied",
                "deviceDetail": {"deviceId": "", "operatingSystem": "Linux", "trustType": ""},
                "correlationId": uuid(random),
            }
            yield AuditCase(
                f"entra-{name}-{kind}", "Microsoft Graph: signIn resource type", "entra.signin", fields
            )


_AZURE = (
    "listKeys/action",
    "regenerateKey/action",
    "vaults/secrets/read",
    "SecretGet",
    "SecretList",
    "KeySign",
    "CertificateGet",
    "VaultPut",
)


def _azure() -> Iterator[AuditCase]:
    for operation in _AZURE:
        random = Random(operation)
        fields = {
            "time": "2031-03-12T10:11:12Z",
            "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/V",
            "operationName": operation,
            "category": "AuditEvent",
            "resultType": "Success",
            "correlationId": uuid(random),
            "identity": {"claim": {"appid": uuid(random), "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": "anna@corp.example"}},
            "properties": {"id": "https://v.vault.azure.net/secrets/db-password", "httpStatusCode": 200, "isAccessPolicyMatch": True, "tlsVersion": "TLS1_3"},
        }  # fmt: skip
        yield AuditCase(f"azure-{operation}", "Azure Key Vault logging", "azure.audit", fields)


def cases() -> Iterator[AuditCase]:
    """Yield the events of clouds."""
    yield from _cloudtrail()
    yield from _kubernetes()
    yield from _google()
    yield from _entra()
    yield from _azure()
