"""The terms that make a name secret, in the other languages that programs' names are written in.

Accents do not count (``contraseña`` is ``contrasena``), so umlauts are listed in both spellings. A term of
a script without blanks between words counts as the end of a word: ``用户密码`` is a password,
``密码长度`` is not.
"""

# ruff: noqa: ISC004, RUF001 - tables of terms; letters of other languages

from __future__ import annotations

from logweir.redaction.names_terms import Place, Rows, Secrecy

__all__ = ["LANGUAGES", "UNSPACED"]

_SECRET, _CREDENTIAL = Secrecy.SECRET, Secrecy.CREDENTIAL
_ANYWHERE, _END, _ALONE = Place.ANYWHERE, Place.END, Place.ALONE

LANGUAGES: Rows = (
    (
        "credentials",
        _SECRET,
        _ANYWHERE,
        # German
        "passworter, passwoerter, kennwort, kennworter, kennwoerter, geheimnis, geheimschlussel, "
        "geheimschluessel, geheimer schlussel, geheimer schluessel, losungswort, zugangspasswort, "
        # French
        "mot de passe, mots de passe, mdp, phrase de passe, phrase secrete, cle secrete, "
        "code confidentiel, "
        # Spanish, Portuguese, Italian
        "contrasena, contrasenya, clave secreta, secreto, frase de contrasena, senha, palavra passe, "
        "chave secreta, segredo, parola d ordine, parola chiave, parola di accesso, chiave segreta, segreto, "
        # Dutch
        "wachtwoord, wachtwoorden, wachtzin, geheime sleutel, "
        # Polish, Czech, Slovak, Hungarian, Romanian
        "haslo, hasło, hasla, hasła, sekret, klucz tajny, tajny klucz, heslo, tajny klic, jelszo, "
        "titkos kulcs, cheie secreta, "
        # Slovenian, Serbo-Croatian, Lithuanian, Estonian, Albanian, Icelandic, Basque
        "geslo, sifra, slaptazodis, parool, salasona, fjalekalimi, lykilorð, pasahitza, "
        # Russian, Ukrainian, Bulgarian
        "пароль, пароли, пароля, парол, parol, секрет, секретный ключ, ключ шифрования, кодовое слово, "
        "секретне слово, тайна дума, парола, лозинка, құпия сөз, нууц үг, "
        # Armenian, Georgian, Persian, Urdu
        "գաղտնաբառ, პაროლი, رمز عبور, گذرواژه, کلمه عبور, پاس ورڈ, "
        # Bengali, Tamil, Telugu, Marathi, Malay, Swahili, Filipino
        "পাসওয়ার্ড, கடவுச்சொல், పాస్వర్డ్, संकेतशब्द, kata laluan, nenosiri, "
        # Turkish
        "sifre, sifresi, şifresi, gizli anahtar, gizli anahtari, gizli anahtarı, "
        # Swedish, Norwegian, Danish, Finnish
        "losenord, lösenordet, hemlighet, hemlig nyckel, passord, passordet, hemmelighet, "
        "hemmelig nokkel, lozinka, zaporka, adgangskode, kodeord, hemmelighed, salasana, "
        "salainen avain, tunnusluku, "
        # Greek, Arabic, Hebrew, Hindi, Thai, Vietnamese, Indonesian
        "κωδικός, κωδικός πρόσβασης, συνθηματικό, รหัสผ่าน, كلمة المرور, كلمة السر, "
        "סיסמה, סיסמא, पासवर्ड, mat khau, "
        "mật khẩu, kata sandi, sandi",
    ),
    ("credentials", _SECRET, _END, "parola, parolasi, parolası"),
    (
        "credentials",
        _CREDENTIAL,
        _ANYWHERE,
        "zugangsdaten, anmeldedaten, zugriffsschlussel, zugriffsschluessel, api schlussel, api schluessel, "
        "cle api, cle d api, cle d acces, cle acces, jeton, jeton d acces, clave api, clave de api, "
        "clave de acceso, credencial, credenciales, credenciais, chave api, chave de api, chave da api, "
        "chave de acesso, "
        "chiave api, chiave di accesso, credenziali, toegangssleutel, api sleutel, inloggegevens, "
        "klucz api, klucz dostepu, klucz dostępu, poswiadczenia, api klic, "
        "токен, токены, токена, ключ api, api ключ, ключ доступа, учетные данные, куки, "
        "api anahtari, api anahtarı, erisim anahtari, erişim anahtarı, belirtec, belirteç, "
        "api nyckel, atkomstnyckel, inloggningsuppgifter, api nokkel, api avain",
    ),
    ("credentials", _CREDENTIAL, _ALONE, "clave, geheim, hemlig"),
    (
        "codes",
        _SECRET,
        _ANYWHERE,
        "zugangscode, sicherheitscode, bestatigungscode, bestaetigungscode, verifizierungscode, "
        "wiederherstellungscode, einmalpasswort, einmalcode, geheimzahl, mtan, code secret, "
        "code de verification, "
        "code de securite, code pin, codigo de seguridad, codigo de verificacion, codigo pin, "
        "codigo de acceso, codigo de seguranca, codigo de verificacao, codice di sicurezza, "
        "codice di verifica, codice pin, toegangscode, beveiligingscode, verificatiecode, pincode, "
        "kod pin, kod weryfikacyjny, kod bezpieczenstwa, пин код, пинкод, код подтверждения, "
        "код безопасности, dogrulama kodu, doğrulama kodu, guvenlik kodu, pinkod, engangskod, "
        "sakerhetskod, verifieringskod, pinkode, engangskode",
    ),
    ("codes", _SECRET, _ALONE, "пин"),
    (
        "cards",
        _SECRET,
        _ANYWHERE,
        "kreditkarte, kreditkartennummer, kartennummer, kartenprufnummer, kartenpruefnummer, "
        "carte de credit, carte bancaire, numero de carte, numero carte, cryptogramme visuel, "
        "tarjeta de credito, numero de tarjeta, numero tarjeta, cartao de credito, numero do cartao, "
        "numero cartao, carta di credito, numero carta, numero della carta, kaartnummer, "
        "kredietkaart, karta kredytowa, numer karty, кредитная карта, номер карты, kredi karti, "
        "kredi kartı, kart numarasi, kart numarası, kreditkort, kredittkort, kortnummer, luottokortti",
    ),
    (
        "identity",
        _SECRET,
        _ANYWHERE,
        "sozialversicherungsnummer, numero de securite sociale, securite sociale, seguro social, "
        "seguridad social, burgerservicenummer, personnummer, pesel, снилс, henkilotunnus",
    ),
    (
        "private_keys",
        _SECRET,
        _ANYWHERE,
        "privater schlussel, privater schluessel, privatschlussel, cle privee, "
        "clave privada, chave privada, "
        "chiave privata, prive sleutel, privesleutel, klucz prywatny, soukromy klic, закрытый ключ, "
        "приватный ключ, личный ключ, ozel anahtar, ozel anahtari, özel anahtarı, privat nyckel, "
        "privat nokkel, privat nogle, yksityinen avain",
    ),
)

UNSPACED: Rows = (
    (
        "credentials",
        _SECRET,
        _END,
        # Chinese
        "密码, 密碼, 口令, 密钥, 密鑰, 金鑰, 秘密, 秘钥, 密码值, "
        # Japanese
        "パスワード, パスフレーズ, 秘密鍵, シークレット, 合言葉, 秘密の質問の答え, クッキー, "
        # Korean
        "비밀번호, 암호, 패스워드, 비밀키, 시크릿, 쿠키, "
        # Thai
        "รหัสผ่าน",
    ),
    (
        "credentials",
        _CREDENTIAL,
        _END,
        "令牌, 凭证, 凭据, 憑證, 憑據, トークン, 認証情報, アクセスキー, apiキー, "
        "토큰, api키, 인증키, 액세스키",
    ),
    (
        "codes",
        _SECRET,
        _END,
        "验证码, 驗證碼, 动态码, 安全码, 安全碼, 暗証番号, 認証コード, セキュリティコード, 確認コード, "
        "リカバリーコード, 인증번호, 인증코드, 보안코드, 복구코드",
    ),
    (
        "cards",
        _SECRET,
        _END,
        "信用卡, 信用卡号, 卡号, 卡號, 银行卡号, カード番号, クレジットカード, 카드번호, 신용카드",
    ),
    ("identity", _SECRET, _END, "身份证号, 身份证号码, 身分證字號, マイナンバー, 주민등록번호, 주민번호"),
    ("private_keys", _SECRET, _END, "私钥, 私鑰, プライベートキー, 개인키"),
)
