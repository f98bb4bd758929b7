"""Which names are secret, how strongly, and which only look like it."""

import time
import timeit
from concurrent.futures import ThreadPoolExecutor

import pytest

from logweir.redaction.names import NAME_GROUPS, Names, Secrecy, words_of

_names = Names()


def table(text: str) -> list[str]:
    """The names of a table: between commas, or between blanks where there are no commas."""
    return [
        name.strip() for name in text.replace("\n", " ").split("," if "," in text else None) if name.strip()
    ]


SECRET = {
    "passwords": """
        password Password PASSWORD passwords password1 password_2 pass_word passWord user_password userPassword
        UserPassword user-password user.password userpassword db_password DB_PASSWORD MYSQL_ROOT_PASSWORD
        POSTGRES_PASSWORD PGPASSWORD spring.datasource.password SPRING_DATASOURCE_PASSWORD spring.redis.password
        newPassword old_password current_password password_confirmation passwordConfirm password_confirm
        confirmPassword repeat_password passwordRepeat password_again password_hash passwordHash passwordhash
        password_digest encrypted_password hashed_password password_encrypted plaintextPassword password_plain
        password_value passwordText raw_password masterUserPassword MasterPassword admin_passwd passwd PASSWD
        userPasswd sudo_passwd passphrase pass_phrase passPhrase key_passphrase ssh-passphrase pwd Pwd userPwd
        user_pwd sa_pwd dbpwd pswd pword db_pass DB_PASS smtp_pass mail-pass ftpPass ansible_ssh_pass pass
        ansible_become_pass db_pw user_pw pw http.basic.password connection.password ldap.bind.password
        keystorePassword key_store_password truststore.password java.naming.security.credentials.password
        ssl.key.password sasl.jaas.config.password initialPassword tempPassword temporary_password
        password_prod password_mysql passwordForAlice password_live redis_password_sentinel wifi_password
        user_password_new login[password] data.password /auth/password X-Password password_salt
        rabbitmq_default_pass security_answer secretAnswer mothers_maiden_name authentication_string
        """,
    "secrets": """
        secret Secret SECRET secrets client_secret clientSecret client-secret CLIENT_SECRET oauth2.client.secret
        app_secret api_secret consumerSecret consumer_secret jwt_secret JWT_SECRET jwt_secret_key secret_key
        SECRET_KEY secretKey secretkey DJANGO_SECRET_KEY aws_secret_access_key AWS_SECRET_ACCESS_KEY
        SecretAccessKey secretAccessKey stripe_secret STRIPE_SECRET_KEY webhook_secret webhookSecret
        signing_secret slack_signing_secret session_secret cookie_secret shared_secret sharedSecret
        secretString SecretString SecretBinary secret_value secret_token secretToken my_secret secret_data
        encryption_key encryptionKey ENCRYPTION_KEY master_key RAILS_MASTER_KEY signing_key cipher_key aes_key
        hmac_key fernet_key shared_key SharedAccessKey psk pre_shared_key wpa_key wifi_key unseal_key
        unseal_keys recovery_keys dockerconfigjson .dockerconfigjson htpasswd code_verifier oauth_verifier
        client_secret_post clientsecret appsecret usersecret top.secret SECRETS_PROD secret_stripe ntlm_hash
        """,
    "cookies": """
        cookie Cookie COOKIE cookies set_cookie Set-Cookie setCookie HTTP_COOKIE http.request.header.cookie
        http.response.header.set-cookie session_cookie session_cookie_value cookie_header request.cookies sessioncookie
        """,
    "codes": """
        pin PIN pins new_pin newPin old_pin confirm_pin pin_hash user_pin userPin card_pin cardPin pin_code pinCode
        PIN-Code pin_number sim_pin atmPin device_pin pinBlock pin_block puk otp OTP otp_code otpCode user_otp totp
        totp_code totpCode totp_secret hotp one_time_code oneTimeCode one_time_password oneTimePasscode passcode
        pass_code passCode mfa_code mfaCode MFA-Code tfa_code 2fa_code two_factor_code twoFactorCode
        authenticator_code verification_code verificationCode verify_code security_code securityCode sms_code
        smsCode email_code login_code loginCode reset_code password_reset_code access_code accessCode unlock_code
        recovery_code recoveryCodes recovery_codes backup_codes backupCodes scratch_codes magic_code
        mfa_recovery_codes login.otp auth.otp.value
        """,
    "cards": """
        credit_card creditCard credit-card creditcard CreditCardNumber credit_card_number debit_card debitCard
        card_number cardNumber CARD_NUMBER card.number cardnumber card_no cardNo card_num cc_number ccNumber
        cc_num ccnum ccn pan PAN card_pan primary_account_number cvv CVV cvv2 CVV2 cvc cvcCode card_cvv cardCvc
        card_security_code card_verification_value track_data magstripe payment.card.number payment_card
        """,
    "identity": """
        ssn SSN user_ssn customer.ssn social_security socialSecurity social_security_number
        SocialSecurityNumber social-security-no social_insurance_number national_insurance_number aadhaar
        aadhaar_number ssn_hash
        """,
    "private keys": """
        private_key privateKey PRIVATE_KEY private-key privatekey private_keys private_key_pem privateKeyPem
        ssh_private_key SSH_PRIVATE_KEY tls_private_key rsa_private_key deploy_private_key priv_key privKey
        ssl.private.key host_private_key id_rsa id_ed25519 seed_phrase seedPhrase recovery_phrase mnemonic_phrase mnemonic
        wallet_seed xprv private_pem vapid_private_key FIREBASE_PRIVATE_KEY signing_private_key
        """,
    "German": """
        passwort Passwort PASSWORT benutzer_passwort benutzerPasswort benutzerpasswort passwörter passwort_hash
        altesPasswort kennwort Kennwort datenbank_kennwort datenbankkennwort geheimnis geheimer_schlüssel
        geheimerSchluessel privater_schlüssel zugangscode sicherheitscode bestätigungscode geheimzahl
        kreditkarte kreditkartennummer kartennummer sozialversicherungsnummer einmalpasswort
        """,
    "French": """
        mot_de_passe motDePasse mot-de-passe motdepasse mots_de_passe nouveau_mot_de_passe mdp mdp_utilisateur
        clé_privée clePrivee clé_secrète cleSecrete phrase_de_passe code_secret code_de_vérification carte_bancaire
        carteDeCrédit numéro_de_carte numero_de_securite_sociale code_pin
        """,
    "Spanish, Portuguese, Italian": """
        contraseña contrasena contraseñas contrasenaUsuario nueva_contraseña contrasenya clave_secreta clavePrivada
        secreto tarjeta_de_crédito tarjetaDeCredito número_de_tarjeta código_de_seguridad codigoDeVerificacion
        código_pin seguro_social senha Senha senhas senha_usuario nova_senha senhaAntiga palavra_passe
        palavra-passe chave_privada chaveSecreta segredo cartão_de_crédito numero_do_cartao codigo_de_seguranca
        parola_d_ordine chiave_privata chiaveSegreta segreto carta_di_credito numeroCarta codice_di_sicurezza
        """,
    "Dutch, Polish, Czech, Hungarian": """
        wachtwoord Wachtwoord wachtwoorden gebruikerswachtwoord nieuw_wachtwoord geheime_sleutel privésleutel
        toegangscode pincode kaartnummer burgerservicenummer hasło haslo HASŁO hasla nowe_haslo hasloUzytkownika
        klucz_prywatny kod_pin numer_karty karta_kredytowa pesel sekret heslo nove_heslo jelszó jelszo
        """,
    "Russian": """
        пароль Пароль ПАРОЛЬ пароли новый_пароль пароль_пользователя парольПользователя parol секрет
        секретный_ключ закрытый_ключ приватный_ключ номер_карты кредитная_карта пин_код пинкод код_подтверждения пин
        """,
    "Chinese, Japanese, Korean": """
        密码 密碼 用户密码 新密码 密码1 口令 密钥 金鑰 加密密钥 私钥 私鑰 验证码 驗證碼 短信验证码 信用卡 卡号 银行卡号 身份证号
        パスワード 新しいパスワード ワンタイムパスワード 暗証番号 秘密鍵 カード番号 クレジットカード番号 セキュリティコード
        マイナンバー 認証コード 비밀번호 새비밀번호 암호 패스워드 인증번호 보안코드 카드번호 주민등록번호 개인키
        """,
    "Turkish, Nordic": """
        şifre sifre ŞİFRE Şifre yeni_şifre kullanici_sifresi kullanıcıŞifresi parola yeni_parola gizli_anahtar
        özel_anahtar doğrulama_kodu kredi_kartı kart_numarası lösenord losenord användarlösenord nytt_lösenord
        privat_nyckel kreditkort kortnummer personnummer engångskod passord nytt_passord adgangskode kodeord
        salasana uusi_salasana luottokortti
        """,
    "other scripts": """
        κωδικός_πρόσβασης, כתב סיסמה, סיסמה, كلمة المرور, كلمة_السر, पासवर्ड, mật_khẩu, mat_khau, kata_sandi,
        รหัสผ่าน, ｐａｓｓｗｏｒｄ, ｕｓｅｒＰａｓｓｗｏｒｄ, pássword
        """,
}

CREDENTIAL = {
    "tokens": """
        token Token TOKEN tokens access_token accessToken accesstoken ACCESS_TOKEN refresh_token refreshToken id_token
        IDToken idToken id_token_hint auth_token authToken X-Auth-Token X-Vault-Token client_token csrf_token
        csrfToken csrfmiddlewaretoken X-CSRF-Token XSRF-TOKEN authenticity_token session_token sessionToken
        aws_session_token AWS_SESSION_TOKEN x-amz-security-token GITHUB_TOKEN GH_TOKEN NPM_TOKEN bot_token
        botToken verify_token remember_token reset_token invite_token bearer_token personal_access_token
        sas_token device_token fcm_token push_token join_token bootstrap_token token_hash token_value tokenValue
        usertoken apptoken token_github TOKEN_PROD serviceAccountToken service_account_token root_token
        sessionCredentialFromConsole credential credentials Credentials creds db_creds aws_credentials
        google.credentials user_credential expired_token invalid_token request_token oauth_token new_token
        """,
    "keys": """
        api_key apiKey API_KEY api-key apikey APIKEY apiKeys api_keys X-API-Key x-api-key OPENAI_API_KEY
        STRIPE_API_KEY api_key_prod apikey_stripe myapikey access_key accessKey ACCESS_KEY account_key AccountKey
        auth_key authKey authkey session_key sessionKey subscription_key Ocp-Apim-Subscription-Key app_key APP_KEY
        license_key NEW_RELIC_LICENSE_KEY licenseKey storage_account_key service_account_key x-functions-key
        instrumentation_key ssh_key sshKey tls_key TLS_KEY ssl_key gpg_key pgpKey deploy_key deployKey rsa_key
        server_key client_key clientKey tls.client.key cert_key ca_key key_pem keyMaterial pfx
        """,
    "sessions": """
        session Session sessions user_session session_id sessionId SESSION_ID sessionid session-id sid SID
        PHPSESSID JSESSIONID connect.sid ASP.NET_SessionId sessid laravel_session session_data
        _session http.session.id user.session.id
        """,
    "authorization": """
        authorization Authorization AUTHORIZATION HTTP_AUTHORIZATION proxy_authorization Proxy-Authorization
        http.request.header.authorization X-Forwarded-Authorization authorization_header authorizationHeader
        auth Auth auths _auth basic_auth basicAuth http_auth proxy_auth registry_auth auth_header authHeader
        auth_data x_auth twilio_auth csrf xsrf _csrf jwt JWT user_jwt jwt_string bearer signature Signature
        X-Hub-Signature x-hub-signature-256 X-Signature webhook_signature sig hmac sas client_assertion
        SAMLResponse saml_response oauth authorization_code authorizationCode auth_code authCode secret_id vault_secret_id SECRET_ID
        """,
    "addresses with passwords": """
        dsn DSN sentry_dsn SENTRY_DSN db_dsn database_url DATABASE_URL databaseUrl database_uri db_url
        connection_string connectionString ConnectionString conn_str connection_url jdbc_url jdbcUrl
        SQLALCHEMY_DATABASE_URI redis_url REDIS_URL mongo_uri MONGODB_URI broker_url CELERY_BROKER_URL amqp_url
        webhook_url webhookUrl SLACK_WEBHOOK_URL signed_url presignedUrl sas_url magic_link reset_link
        password_reset_link kubeconfig KUBECONFIG kube_config
        """,
    "other languages": """
        zugangsdaten anmeldedaten api_schlüssel zugriffsschlüssel zugriffstoken clé_api cleApi jeton jeton_d_accès
        clave_api claveDeApi credenciales clave chave_api chave_de_acesso chiave_api credenziali api_sleutel
        klucz_api токен токен_доступа ключ_api api_ключ ключ_доступа api_anahtarı api_nyckel 令牌 访问令牌 トークン
        アクセストークン 認証情報 APIキー アクセスキー 토큰 액세스토큰 API키
        """,
}

HARMLESS = {
    "words that contain a syllable": """
        author authors authored_by authority authenticity authentic tokenizer tokenize tokenized tokenization secretary
        secretariat secretion compass bypass bypassed passenger passengers passage passive passing passport_country
        surpass spin spinner pinned pinning shipping opinion pineapple pinch company panel span expand japan
        pan_and_zoom keyboard monkey keyword keywords turkey donkey hockey jockey whiskey session_count card cards
        cardinal cardinality discard cardboard dashboard wildcard scorecard postcard cookies_enabled bookie cookiecutter
        credit credits accredited incredible sacred sidebar inside outside consider sidecar president residence
        signal signed signature_version signup assign design assignee otpravitel laptop option adopt crypto
        ping pingback pinyin assassin sass nasa class passed_tests passthrough keynote keyspace turnkey hotkey
        authoring coauthor oauthlib jwtlib casserole sandstorm sandimas hashtag rehash
        """,
    "describing a secret": """
        token_type tokenType token_count tokenCount token_expires_in token_expires_at tokenExpiresAt token_expiry
        token_ttl token_id tokenId token_ids token_name token_scopes token_scope token_issuer token_status token_age
        token_endpoint tokenEndpoint token_url tokenUrl token_uri token_algorithm token_version token_format
        token_length token_limit token_usage token_policies token_accessor token_renewable_until token_address
        token_symbol token_decimals token_price token_balance token_bucket_size token_rotation tokens_per_second
        password_changed_at passwordChangedAt password_length password_policy passwordPolicy password_strength
        password_expired passwordExpired password_expires_at password_required password_status password_age
        password_last_set password_min_length password_max_age password_rules password_validation password_errors
        password_file password_path passwordResetRequired password_expiration_date password_score password_enabled
        password_hint_enabled password_updated_on password_rotation_days password_authentication password_auth
        secretName secret_name secretArn secret_arn secret_path secret_version secretVersion secret_version_id
        secret_type secret_count secret_store secretStoreRef secretRef secretKeyRef secret_ref secret_key_ref
        secret_engine secret_provider secret_manager secret_scanning secret_scanning_enabled secret_label
        secret_rotation secret_rotated_at secret_last_accessed secretId SecretId requestParameters.secretId
        secret_namespace secret_description secret_location secrets_count secret_mode secret_format
        cookie_domain cookie_name cookie_path cookie_policy cookie_consent cookie_banner cookie_settings
        cookie_secure cookie_samesite cookie_httponly cookie_expires cookies_accepted cookie_lifetime
        credential_type credentialType credential_provider credentialProvider credential_id
        authentication.kubernetes.io/credential-id authentication.kubernetes.io/issued-credential-id
        credential_source credential_status credentials_expire_at credential_name credentials_file
        api_key_id apiKeyId api_key_name apiKeyName api_key_created_at api_key_version api_key_scope
        access_key_id accessKeyId aws_access_key_id AccessKeyId access_key_status access_key_last_used_date
        accessKeyLastRotated private_key_path private_key_file privateKeyFile private_key_id private_key_type
        private_key_format private_key_size ssh_key_fingerprint ssh_key_type gpg_key_id gpg_key_name
        session_id_length session_key_count card_number_length card_number_type credit_card_brand
        credit_card_type creditCardExpiry card_last4 card_last_four card_brand card_type card_exp_month
        pin_length pin_status pin_attempts pin_required otp_enabled otp_method otp_length otp_expires_at otp_attempts
        otp_status otp_required cvv_present cvv_result_status ssn_valid ssn_last_four recovery_codes_count
        verification_code_sent_at verification_code_expires_at security_code_status
        """,
    "asking about or counting secrets": """
        has_password hasPassword HasPassword is_secret isSecret is_token needs_password requires_token requiresAuth
        require_password requirePassword allow_password allows_token can_reset_password should_rotate_token
        must_change_password mustChangePassword show_password hide_password showPassword without_password
        missing_token missing_password disable_password enable_cookies forgot_password num_tokens max_token
        max_passwords force_token is_password_set user_has_password was_password no_password had_token
        supports_token_refresh skip_auth
        """,
    "beside authorization": """
        authorizationInfo authorization_info authorization.k8s.io/decision authorization.k8s.io/reason
        authorization_endpoint authorizationEndpoint authorization_mode authorization_type authorization_url
        authorization_server authorization_id authorizer authorizationDetails auth_method authMethod auth_type
        authType auth_provider auth_user auth_time auth_url auth_mode auth_level auth_status auth_result auth_id
        auth_source auth_strategy auth_path auth_mount auth_error auth_required authenticated authenticationInfo
        authentication authenticationContext authentication_method authenticationMethod authenticator
        authenticator_type auth_backend authProvider oauth_application_id oauth2_client_id oauth_scopes
        www-authenticate www_authenticate authn_method authz authz_decision session_duration session_timeout
        session_start sessionContext sessionIssuer session_name session_type session_length session_user
        signature_algorithm signatureAlgorithm SignatureVersion signature_valid signature_version sig_alg
        jwt_algorithm jwt_issuer jwt_claims csrf_exempt dsn_parameters sid_count
        """,
    "OAuth metadata": """
        token_endpoint token_endpoint_auth_method token_endpoint_auth_methods_supported authorization_endpoint
        revocation_endpoint introspection_endpoint userinfo_endpoint registration_endpoint jwks_uri issuer
        scopes_supported response_types_supported grant_types_supported code_challenge code_challenge_method
        code_challenge_methods_supported id_token_signing_alg_values_supported id_token_signed_response_alg
        client_id clientId client_name redirect_uri redirect_uris grant_type response_type response_mode scope
        scopes state nonce audience aud iss exp iat jti kid alg acr_values prompt expires_in expires_at
        """,
    "language models": """
        prompt_tokens completion_tokens total_tokens promptTokens completionTokens totalTokens max_tokens maxTokens
        min_tokens max_new_tokens maxNewTokens max_output_tokens max_completion_tokens input_tokens output_tokens
        inputTokens outputTokens cached_tokens reasoning_tokens audio_tokens image_tokens thinking_tokens
        cache_read_input_tokens cache_creation_input_tokens accepted_prediction_tokens rejected_prediction_tokens
        prompt_tokens_details completion_tokens_details promptTokenCount candidatesTokenCount totalTokenCount
        cachedContentTokenCount thoughtsTokenCount num_tokens n_tokens token_count tokens_per_minute
        eos_token bos_token pad_token unk_token sep_token cls_token mask_token stop_token special_tokens
        time_to_first_token gen_ai.usage.input_tokens gen_ai.usage.output_tokens llm.usage.total_tokens
        """,
    "pagination and requests": """
        next_token nextToken NextToken next_page_token nextPageToken page_token pageToken continuation_token
        continuationToken NextContinuationToken pagination_token sync_token nextSyncToken starting_token
        resume_token skip_token idempotency_token ClientRequestToken clientRequestToken cancellation_token
        idempotency_key cursor offset limit continue marker
        """,
    "keys that are none": """
        key keys Key KEY key_id keyId key_name keyName key_type keyUsage key_size public_key publicKey PUBLIC_KEY
        public_keys ssh_public_key sshPublicKey gpg_public_key primary_key foreign_key partition_key sort_key routing_key
        cache_key cacheKey object_key s3_key row_key composite_key unique_key sorting_key group_key map_key
        shift_key hot_key translation_key message_key feature_key dedup_key idempotencyKey keyspace key_prefix
        key_pair key_pairs keyPairName KeySpec kmsKeyId kms_key_arn bucketKeyEnabled key_count storage_key
        serviceAccountKeyName service_account_key_id licence_plate
        """,
    "documented in audit logs": """
        httpTokens HttpTokens httpPutResponseHopLimit spf_pass dkim_pass dmarc_pass imagePullSecrets hashed_token
        programmatic_access_type token_id token_scopes externalSessionId rootSessionId
        authenticationContext.externalSessionId transaction.id detailEntry.methodTypeUsed signOnModeType
        userIdentity.accessKeyId userIdentity.sessionContext.attributes.mfaAuthenticated MFAUsed
        additionalEventData.AuthenticationMethod tlsDetails.cipherSuite objectRef.resource objectRef.name
        annotations.pod-security.kubernetes.io/enforce-policy user.extra accessor display_name policies
        identity_policies token_policies token_type lease_id lease_duration renewable mount_accessor mount_type
        wrap_info creation_path entity_id protoPayload.authorizationInfo protoPayload.authenticationInfo
        principalEmail serviceAccountDelegationInfo principalSubject permission resourceAttributes granted
        two_factor_requirement public_repo external_identity_nameid fingerprint
        """,
    "passed, and other meanings": """
        tests_pass checks_pass first_pass second_pass boarding_pass low_pass high_pass band_pass forward_pass
        pass_count pass_rate passes author_signature key_signature time_signature conference_session two_factor_auth
        masked_card_number access_level access_type account_id account_number account_name bank_name card_holder
        cardholder_name iban bic swift email phone address ip_address username user_name user_id login
        description message event status amount currency order_id order_number invoice_number tracking_number
        phone_number house_number number numbers code codes error_code errorCode status_code country_code
        zip_code postal_code postcode promo_code coupon_code currency_code language_code exit_code source_code
        qr_code barcode verification verified verification_status url uri link links webhook webhook_id
        callback_url redirect_url base_url image_url avatar_url website_url logo_uri share_link profile_link
        string strings query_string format_string hash hashes commit_hash file_hash sha256 md5 checksum digest
        """,
    "other languages": """
        passwort_länge passwort_geändert_am contraseña_longitud senha_tamanho 密码长度 密码强度 密码状态 パスワード長 비밀번호길이
        palabra_clave palavra_chave mot_cle schlüssel schluessel clave_producto nøgle geheimnisvoll
        kennzeichen kartenleser karte secretariado имя ключ карта номер код 名前 用户 用户名 이름 kod nummer numero
        código code_postal codigo_postal
        """,
}

GROUPS = {
    "credentials": ["password", "api_key", "token", "cookie", "dsn"],
    "codes": ["pin", "otp", "recovery_codes", "verification_code"],
    "cards": ["credit_card", "cvv", "pan", "卡号"],
    "identity": ["ssn", "social_security_number"],
    "private_keys": ["private_key", "ssh_key", "seed_phrase"],
}


def cases(tables: dict[str, str]) -> list[object]:
    return [
        pytest.param(name, id=f"{group}: {name}") for group, text in tables.items() for name in table(text)
    ]


@pytest.mark.parametrize("name", cases(SECRET))
def test_r9_a_name_that_spells_a_secret_is_one(name):
    assert _names.secrecy(name) is Secrecy.SECRET
    assert _names.secrecy(name) is Secrecy.SECRET, "and the cached answer is the same"


@pytest.mark.parametrize("name", cases(CREDENTIAL))
def test_r9_a_name_that_may_hold_a_credential_is_one_whose_value_decides(name):
    assert _names.secrecy(name) is Secrecy.CREDENTIAL


@pytest.mark.parametrize("name", cases(HARMLESS))
def test_r10_a_name_that_only_resembles_or_describes_a_secret_is_harmless(name):
    assert _names.secrecy(name) is Secrecy.HARMLESS


@pytest.mark.parametrize("group", sorted(NAME_GROUPS))
def test_a_group_of_names_applies_without_the_others(group):
    names = Names(groups=[group, "tokens", "sql"])

    for other, examples in GROUPS.items():
        assert {bool(names.secrecy(name)) for name in examples} == {other == group}


def test_without_groups_only_the_names_of_the_configuration_are_secret():
    names = Names(["iban"], groups=[])

    assert names.secrecy("customer_iban") is Secrecy.SECRET
    assert not any(map(names.secrecy, ["password", "accesstoken", "pin", "db_pass", "密码"]))


@pytest.mark.parametrize(
    "name",
    table("""
        customer_iban IBAN MOTHER-MAIDEN-NAME mothermaidenname token_count nextToken next_token has_iban ibans
        Kundennummer kunden_nummer kundennummer_alt user.客户编号 ACCESS_KEY_ID
        """),
)
def test_a_name_of_the_configuration_is_secret_whatever_the_built_in_rules_say(name):
    keys = [
        "IBAN",
        "motherMaidenName",
        "token_count",
        "next_token",
        "kundennummer",
        "客户编号",
        "accessKeyId",
    ]

    assert Names(keys).secrecy(name) is Secrecy.SECRET


@pytest.mark.parametrize("name", ["ibanez", "iban_length", "max_iban_length", "token_counter", "number"])
def test_a_name_that_only_has_one_of_the_configuration_in_it_is_judged_as_any(name):
    assert Names(["iban", "token_count", ""]).secrecy(name) is Secrecy.HARMLESS


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("userPassword", "name: password"),
        ("X-API-Key", "name: api key"),
        ("aws_secret_access_key", "name: secret access key"),
        ("authorization", "name: authorization"),
        ("benutzerpasswort", "name: passwort"),
        ("用户密码", "name: 密码"),
        ("cvv2", "name: cvv"),
        ("password_reset_token", "name: password"),
        ("kunde.kundenNummer", "key of the configuration: kunden nummer"),
        ("token_type", ""),
    ],
)
def test_the_rule_of_a_name_is_the_term_that_decided(name, rule):
    assert Names(["kunden-nummer"]).rule_of(name) == rule


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("X-API-Key", ["x", "api", "key"]),
        ("HTTPServer2Go", ["http", "server", "2", "go"]),
        ("парольКлиента", ["пароль", "клиента"]),
        ("Clé_Privée", ["cle", "privee"]),
        ("", []),
        ("_.-", []),
    ],
)
def test_a_name_is_split_into_its_words_without_case_and_accents(name, words):
    assert words_of(name) == words


def test_the_cache_of_names_is_bounded():
    names = Names()
    for number in range(10_000):
        names.secrecy(f"name{number}")
    names.secrecy("x" * 10_000)

    assert len(names._verdicts) <= 4096
    assert max(map(len, names._verdicts)) < 1000


@pytest.mark.parametrize("name", ["password" + "x" * 70_000 + "_password", "a_" * 40_000 + "token"])
def test_the_end_of_a_very_long_name_still_says_what_it_is(name):
    assert _names.secrecy(name) is not Secrecy.HARMLESS


def test_many_threads_may_ask_at_once():
    names = Names()
    asked = [name for text in SECRET.values() for name in table(text)] * 20

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(names.secrecy, asked)) == {Secrecy.SECRET}


@pytest.mark.busy
@pytest.mark.parametrize(
    "part", ["key_", "token ", "pass", "auth.", "Ab", "1a", "密码", "_", "secretsecret", "key"]
)
def test_no_name_takes_long_however_it_was_made(part):
    names = Names()
    name = part * (65_536 // len(part))

    # Some hundred microseconds; the bound is that of a busy machine.
    assert min(timeit.repeat(lambda: names.secrecy(name), timer=time.thread_time, number=1, repeat=5)) < 0.02


@pytest.mark.busy
def test_ten_thousand_names_that_were_never_seen_are_judged_in_milliseconds():
    names = Names()
    made = [f"field_{number}_of_it" for number in range(10_000)]

    # Below 10 ms alone; the bound is that of a busy machine.
    turns = timeit.repeat(
        lambda: [names._judge(name) for name in made], timer=time.thread_time, number=1, repeat=5
    )
    assert min(turns) < 0.1
