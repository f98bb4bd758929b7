"""JSON, XML, forms and other documents in logs; a name and its secret in every way to write both; other languages."""

from __future__ import annotations

from collections.abc import Iterator

from corpora.cases import Logged, Shape, blocks, lines, structures
from corpora.values import Values

__all__ = ["shapes"]

_LINES = r"""
json-object | a body in an access log | {"username": "«!user»", "password": "«strong»", "remember": true}
json-compact | a body in an access log | body={"user":"«!user»","pwd":"«password»"}
json-nested | a body in an error report | {"data":{"attributes":{"email":"«!email»","credentials":{"password":"«strong»"}}}}
json-escaped-value | a password with quotes in JSON | {"user": "«!user»", "password": "«quoted|json»"}
json-unicode-escapes | json.dumps of a name beyond ASCII | {"benutzer": "«!user»", "passwort": "«umlaut|json»"}
json-number | a PIN as a number | {"card_id": "«!id»", "pin": «pin»}
json-array | a list of secrets | {"user": "«!user»", "recovery_codes": ["«recovery:a»", "«recovery:b»"]}
json-in-json | Docker's json-file driver | {"log":"{\"user\":\"«!user»\",\"password\":\"«password»\"}\n","stream":"stdout"}
json-in-json-twice | CloudWatch through Lambda | {"message":"{\"body\":\"{\\\"user\\\":\\\"«!user»\\\",\\\"password\\\":\\\"«password»\\\"}\"}"}
json-url-encoded | a payload parameter of GitHub's and Slack's hooks | payload=%7B%22user%22%3A%22«!user»%22%2C%22token%22%3A%22«token»%22%7D
json-cut | a body cut after 64 characters | Request body: {"username":"«!user»","password":"«password»","addr
json-cut-inside | a body that is cut inside of the secret | Request body: {"username":"«!user»","password":"«password»
json-python-repr | a dict in an f-string | login failed for {'username': '«!user»', 'password': '«strong»'}
json-js-inspect | Node: util.inspect | { user: '«!user»', password: '«strong»', admin: false }
json-ruby-inspect | Ruby: Hash#inspect | {:user=>"«!user»", :password=>"«strong»"}
json-elixir-inspect | Elixir: inspect of a map | %{user: "«!user»", password: "«strong»"}
json-go-struct | Go: %+v | {Host:«!host» Port:5432 User:«!user» Password:«password»}
json-rust-debug | Rust: {:?} | Config { host: "«!host»", password: "«strong»", port: 5432 }
json-java-tostring | Lombok's @ToString | LoginRequest(username=«!user», password=«strong»)
json-java-record | a Java record | Credentials[username=«!user», password=«password»]
json-java-map | Java: HashMap.toString | {user=«!user», password=«password», port=5432}
json-kotlin-data | a Kotlin data class | Login(user=«!user», apiKey=«token»)
json-csharp-record | a C# record | Login { User = «!user», Password = «password» }
json-scala-case | a Scala case class has no names, an Option of it has | ConnectInfo(user = Some(«!user»), password = Some(«password»))
json-protobuf-text | protobuf's text format | user: "«!user»" password: "«strong»" port: 5432
json-logfmt | logfmt | level=info msg="login" user=«!user» password=«password» took=12ms
json-logfmt-quoted | logfmt | level=info msg="login" user=«!user» password="«spaced»" took=12ms
json-key-value-colon | a line of an old program | user: «!user», password: «password», host: «!host»
json-arrow | a line of an old program | user => «!user», secret => «token»
json-is | an application's message | new password is «password» for user «!user»
json-set-to | an application's message | Temporary password set to: «password»
json-jenkins | Jenkins's first start | Jenkins initial setup is required. An admin user has been created and a password generated. Please use the following password: «hex32»
json-spring-generated | Spring Security's first start | Using generated security password: «guid»
json-mysqld-temporary | mysqld --initialize | [Note] [MY-010454] [Server] A temporary password is generated for root@localhost: «strong»
json-elastic-setup | elasticsearch-setup-passwords | Changed password for user elastic PASSWORD elastic = «alnum»
json-jupyter | Jupyter's start | http://127.0.0.1:8888/lab?token=«hex40»«hex32»
json-graphql | Apollo's log | {"operationName":"Login","variables":{"email":"«!email»","password":"«strong»"},"query":"mutation Login($email: String!, $password: String!) { login }"}
json-graphql-inline | a GraphQL document with literals | mutation { login(email: "«!email»", password: "«strong»") { id } }
json-jsonrpc | a JSON-RPC call | {"jsonrpc":"2.0","method":"user.login","params":{"user":"«!user»","password":"«strong»"},"id":1}
json-oauth-response | an OAuth token response | {"access_token":"«opaque»","token_type":"Bearer","expires_in":3600,"refresh_token":"«opaque:r»","scope":"read"}
json-oidc-response | an OpenID token response | {"id_token":"«jwt»","token_type":"Bearer"}
json-firebase-key | a Google service account's key file | {"type": "service_account", "private_key_id": "«sid»", "private_key": "-----BEGIN PRIVATE KEY-----\n«pem|nl»\n-----END PRIVATE KEY-----\n", "client_email": "«!email»"}
json-jwk | a private JWK | {"kty":"EC","crv":"P-256","kid":"k1","x":"AAAA","y":"BBBB","d":"«opaque»"}
json-vault-response | Vault's auth response | {"auth":{"client_token":"«vault»","policies":["default"],"lease_duration":2764800,"renewable":true}}
xml-element | an XML configuration | <login><user>«!user»</user><password>«strong»</password></login>
xml-attribute | web.config | <add name="db" user="«!user»" password="«strong»" />
xml-connection-string | web.config | <add name="Main" connectionString="Server=«!host»;User Id=«!user»;Password=«password»;" />
xml-key-value | appSettings in web.config | <add key="ApiSecret" value="«token»"/>
xml-namespace | a SOAP body | <ns2:authToken xmlns:ns2="urn:x">«token»</ns2:authToken>
xml-cdata | an XML document | <Password><![CDATA[«strong»]]></Password>
xml-entity | an XML document with entities | <config><password>«quoted|xml»</password></config>
xml-property | Hibernate's configuration | <property name="hibernate.connection.password">«strong»</property>
xml-maven | settings.xml | <server><id>nexus</id><username>«!user»</username><password>«strong»</password></server>
xml-plist | an Apple property list | <dict><key>user</key><string>«!user»</string><key>password</key><string>«password»</string></dict>
xml-tomcat | tomcat-users.xml | <user username="«!user»" password="«password»" roles="manager-gui"/>
html-input | a page in a test's failure | <input type="password" name="password" value="«password»">
html-hidden | a page in a scraper's log | <input type="hidden" name="csrf_token" value="«token»"/>
html-meta | Rails's page | <meta name="csrf-token" content="«base88»" />
form-body | a body in a debug log | username=«!user»&password=«percent|form»&submit=1
form-body-first | a body in a debug log | pwd=«strong|form»&login=«!user»
form-oauth | an OAuth token request | grant_type=password&username=«!user»&password=«strong|form»&client_id=app&client_secret=«token»
form-aspnet | WebForms | __EVENTTARGET=&ctl00%24Main%24txtPassword=«strong|form»&ctl00%24Main%24txtUser=«!user»
form-saml | a SAML post | SAMLResponse=«base88»«base88:b»&RelayState=x
hard-csv-header | a row with its header in a rejected import | user;password«n»«!user»;«password»
rails-params | Rails: Parameters with the filter off | Parameters: {"user"=>{"login"=>"«!user»", "password"=>"«strong»"}, "commit"=>"Log in"}
hard-laravel-query | Laravel's query exception | SQLSTATE[23000]: (SQL: insert into `users` (`email`, `password`) values («!email», «strong»))
hard-sql-insert | a statement with literals | INSERT INTO users (email, password) VALUES ('«!email»', '«strong»')
yaml-flow | an inline mapping | db: {user: «!user», password: «password»}
hard-markdown-table | a runbook pasted into a ticket | | user | «!user» | | password | «password» |
"""

_BLOCKS = r"""
## multipart | a multipart body in a debug log
--b0undary
Content-Disposition: form-data; name="user"

«!user»
--b0undary
Content-Disposition: form-data; name="password"

«strong»
--b0undary--
## multipart-crlf-quoted | aiohttp's debug of a multipart body
--b\r\nContent-Disposition: form-data; name="api_key"\r\n\r\n«token»\r\n--b--
## json-pretty | a body that is indented
{
  "user": "«!user»",
  "password": "«strong»",
  "roles": []
}
## json-pretty-array | a body that is indented
{
  "api_keys": [
    "«token:a»",
    "«token:b»"
  ]
}
## xml-pretty | an XML document
<credentials>
  <username>«!user»</username>
  <password>
    «strong»
  </password>
</credentials>
## table-psql | psql's aligned output
 id |   name   |    api_token
----+----------+------------------
  7 | «!user» | «githubclassic»
## diff | git diff in a review bot's log
-DB_PASSWORD=«password»
+DB_PASSWORD=«password:new»
## httpie-output | httpie's output
HTTP/1.1 200 OK
Content-Type: application/json

{"access_token": "«opaque»", "user": "«!user»"}
## mail-body | a mail in a debug backend
Subject: Your account
To: «!email»

Username: «!user»
Password: «password»
## ldif | an LDAP change
dn: uid=«!user»,dc=example
changetype: modify
userPassword: «password»
## ldif-base64 | an LDAP change
dn: uid=«!user»,dc=example
userPassword:: «password|b64»
"""

_FIELDS = (
    ("dict-flat", "a view that logs its form", {"username": "«!user»", "password": "«strong»"}),
    ("dict-deep", "a body four deep", {"body": {"a": [{"b": {"c": {"secret": "«token»", "name": "«!name»"}}}]}}),
    ("dict-json-text", "a field that is a JSON text", {"body": '{"user":"«!user»","password":"«strong|json»"}'}),
    ("dict-json-bytes", "a body in bytes", {"body": 'bytes:{"user":"«!user»","password":"«password»"}'}),
    ("dict-form-bytes", "a body in bytes", {"body": "bytes:user=«!user»&password=«password»"}),
    ("dict-tuple-pairs", "urllib.parse.parse_qsl", {"form": [("user", "«!user»"), ("password", "«strong»")]}),
    ("dict-value-list", "Django's QueryDict.lists", {"post": {"user": ["«!user»"], "password": ["«strong»"]}}),
    ("dict-value-dict", "a secret as a structure", {"password": {"old": "«password:a»", "new": "«password:b»"}}),
    ("dict-changes", "django-auditlog: changes", {"changes": {"password": ["«password:a»", "«password:b»"], "email": ["a@b.example", "«!email»"]}}),
    ("dict-field-value", "a change of one field", {"change": {"field": "password", "old": "«password:a»", "new": "«password:b»"}}),
    ("dict-json-patch", "RFC 6902", {"patch": [{"op": "replace", "path": "/password", "value": "«strong»"}]}),
    ("dict-mongo-update", "PyMongo's command logging", {"command": {"update": "users", "updates": [{"q": {"_id": 7}, "u": {"$set": {"password": "«password»"}}}]}}),
    ("dict-elastic-body", "elasticsearch-py's body", {"body": {"doc": {"user": "«!user»", "api_secret": "«token»"}}}),
    ("dict-graphql", "Strawberry's extension", {"variables": {"input": {"email": "«!email»", "newPassword": "«strong»"}}}),
    ("dict-loc-input", "FastAPI's 422 in a handler", {"errors": [{"type": "string_too_short", "loc": ["body", "password"], "msg": "too short", "input": "«password»"}]}),
    ("dict-body-input", "FastAPI's 422 with the whole body", {"errors": [{"type": "missing", "loc": ["body", "email"], "input": {"user": "«!user»", "password": "«strong»"}}]}),
    ("dict-db-row", "a row of a user table", {"row": {"id": 7, "login": "«!user»", "password_hash": "$2b$12$«alnum»«alnum:b»"}}),
    ("dict-keyword-otp", "a two-factor login", {"user": "«!user»", "totp_secret": "«base32»"}),
    ("dict-encryption-key", "a service's settings", {"settings": {"encryption_key": "«base64»", "region": "eu"}}),
    ("dict-signing-key", "a service's settings", {"signingKey": "«hex64»", "alg": "HS256"}),
    ("dict-private-key", "a certificate's parts", {"tls": {"certificate": "cert-«!id»", "private_key": "-----BEGIN RSA PRIVATE KEY-----\n«pem»\n-----END RSA PRIVATE KEY-----"}}),
    ("dict-credentials", "a client's settings", {"credentials": {"id": "«!name»", "secret": "«token»"}}),
    ("dict-client-secret", "an OAuth client", {"client_id": "«!name»", "client_secret": "«opaque»"}),
    ("dict-session", "a session store", {"session_id": "«opaque»", "user": "«!user»"}),
    ("dict-passphrase", "paramiko's arguments", {"hostname": "«!host»", "passphrase": "«passphrase»"}),
    ("dict-pass", "a mailer's settings", {"smtp": {"user": "«!user»", "pass": "«strong»"}}),
    ("dict-pw", "a script's settings", {"user": "«!user»", "pw": "«password»"}),
    ("dict-auth-token", "a Twilio client", {"account_sid": "AC«sid»", "auth_token": "«hex32»"}),
    ("dict-seed-phrase", "a wallet", {"wallet": {"mnemonic": "«plain:a» «plain:b» «plain:c» «plain:d» «plain:e» «plain:f»"}}),
    ("dict-answer", "a security question", {"security_answer": "«plain»", "question": "first pet"}),
    ("dict-salted", "a password's parts", {"auth": {"hash": "«hex64»", "password_salt": "«hex32»"}}),
)  # fmt: skip

#: One word for a password in many languages, as developers there name it.
_LANGUAGES = {
    "german": "passwort", "german-kennwort": "kennwort", "french": "mot_de_passe", "french-mdp": "mdp",
    "spanish": "contraseña", "spanish-ascii": "contrasena", "spanish-clave": "clave", "portuguese": "senha",
    "portuguese-pt": "palavra_passe", "italian": "parola_chiave", "dutch": "wachtwoord", "polish": "hasło",
    "polish-ascii": "haslo", "russian": "пароль", "russian-latin": "parol", "ukrainian": "пароль_користувача",
    "chinese": "密码", "chinese-traditional": "密碼", "japanese": "パスワード", "japanese-kanji": "暗証番号",
    "korean": "비밀번호", "turkish": "şifre", "turkish-ascii": "sifre", "turkish-parola": "parola", "swedish": "lösenord",
    "norwegian": "passord", "danish": "adgangskode", "finnish": "salasana", "czech": "heslo", "hungarian": "jelszó",
    "greek": "κωδικός", "hebrew": "סיסמה", "arabic": "كلمة_المرور", "hindi": "पासवर्ड", "thai": "รหัสผ่าน",
    "vietnamese": "mật_khẩu", "indonesian": "kata_sandi", "romanian": "parolă", "croatian": "lozinka",
}  # fmt: skip

_LANGUAGE_FORMS = ("field", "json", "equals", "colon")


def _language(word: str, form: str, values: Values) -> Logged:
    secret = values("strong")
    if form == "field":
        return Logged(event="login.failed", fields={"user": values("user", keep=True), word: secret})
    texts = {
        "json": f'{{"{word}": "{secret}", "n": 1}}',
        "equals": f"login {word}={secret} n=1",
        "colon": f"{word}: {secret}",
    }
    return Logged(event=f"body: {texts[form]}")


def _languages() -> Iterator[Shape]:
    for number, (language, word) in enumerate(_LANGUAGES.items()):
        form = _LANGUAGE_FORMS[number % len(_LANGUAGE_FORMS)]

        def build(values: Values, word: str = word, form: str = form) -> Logged:
            return _language(word, form, values)

        yield Shape(f"language-{language}-{form}", "languages", "an application written there", build)
        if form != "field":
            yield Shape(
                f"language-{language}-field",
                "languages",
                "an application written there",
                lambda values, word=word: _language(word, "field", values),
            )


def shapes() -> Iterator[Shape]:
    """Yield the shapes of documents."""
    yield from lines("documents", _LINES)
    yield from blocks("documents", _BLOCKS)
    yield from structures("documents", _FIELDS)
    yield from _languages()
