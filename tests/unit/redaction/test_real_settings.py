"""Settings as programs keep and dump them: files of many formats, variables, tables, statements."""

import pytest

from logweir.redaction.redactor import Redactor
from support.marked import check, examples, texts

_SECRET = examples(
    r'''
    ## ini, properties, env, shell
    [client]␤user=bob␤password=⟦⟧␤host=h
    [client]␤user = bob␤password = "⟦⟧"␤host = h
    DB_PASSWORD=⟦⟧␤DB_USER=bob
    export DB_PASSWORD="⟦⟧"
    export DB_PASSWORD='⟦⟧'; ./run
    set DB_PASSWORD=⟦⟧
    set "DB_PASSWORD=⟦⟧"
    setx DB_PASSWORD "⟦⟧"
    setenv DB_PASSWORD ⟦⟧
    $env:DB_PASSWORD = "⟦⟧"
    $Env:API_KEY='⟦⟧'
    declare -x API_KEY="⟦⟧"
    env: DB_PASSWORD=⟦⟧ DB_USER=bob
    db.password=⟦⟧
    db.password: ⟦⟧
    spring.datasource.password=⟦⟧
    quarkus.datasource.password=⟦⟧
    hibernate.connection.password=⟦⟧
    javax.persistence.jdbc.password=⟦⟧
    server.ssl.key-store-password=⟦⟧
    security.oauth2.client.client-secret=⟦⟧
    management.metrics.export.datadog.api-key=⟦0123456789abcdef0123456789abcdef⟧
    Environment=DB_PASSWORD=⟦⟧
    Environment="DB_PASSWORD=⟦⟧" "DB_USER=bob"
    ENV DB_PASSWORD=⟦⟧
    ENV DB_PASSWORD ⟦⟧
    ARG NPM_TOKEN=⟦⟧
    Step 3/9 : ENV DB_PASSWORD ⟦⟧
    Step 3/9 : ENV DB_PASSWORD=⟦⟧
    0 3 * * * MYSQL_PWD=⟦⟧ mysqldump shop > /x
    AWS_SECRET_ACCESS_KEY=⟦JfnSrdLqM6FtcemkXB2reTYdwD/nExr6sChdZ6q7⟧
    aws_secret_access_key = ⟦JfnSrdLqM6FtcemkXB2reTYdwD/nExr6sChdZ6q7⟧
    AZURE_CLIENT_SECRET=⟦⟧
    SECRET_KEY_BASE=⟦⟧
    RAILS_MASTER_KEY=⟦0123456789abcdef0123456789abcdef⟧
    DJANGO_SECRET_KEY='⟦⟧'
    SECRET_KEY = '⟦django-insecure-8#k$h!x)2(q@w^z&v1=r⟧'
    APP_KEY=⟦base64:abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG=⟧
    JWT_SECRET=⟦⟧
    SLACK_WEBHOOK_URL=⟦⟧
    STRIPE_SECRET_KEY=⟦sk_test_abcdefghijklmnop⟧
    TWILIO_AUTH_TOKEN=⟦0123456789abcdef0123456789abcdef⟧
    SENTRY_DSN=https://⟦0123456789abcdef0123456789abcdef⟧@o1.ingest.sentry.io/1
    SMTP_PASS=⟦⟧
    SMTP_PASSWD=⟦⟧
    MAIL_PWD=⟦⟧
    GITHUB_PAT=⟦⟧
    GH_PAT: ⟦⟧
    ADMIN_PW=⟦⟧
    DBPASS=⟦⟧
    DBPASSWD=⟦⟧
    dbpass=⟦⟧
    dbpw=⟦⟧
    db_pw: ⟦⟧
    userpw=⟦⟧
    USERPASS=⟦⟧
    mypass: ⟦⟧
    rootpass=⟦⟧
    adminpass = ⟦⟧
    ftp_pass=⟦⟧
    smtppass: ⟦⟧
    loginpass=⟦⟧
    keypass=⟦⟧
    storepass=⟦⟧
    truststorePass="⟦⟧"
    keystorePass="⟦⟧"
    certpass=⟦⟧
    ssl_key_passphrase: ⟦⟧
    enc_key=⟦⟧
    encryptionKey: ⟦⟧
    PASSWORD_SALT=⟦⟧
    AUTH_KEY_SALT='⟦⟧'
    ## yaml, toml, hcl
    db:␤  user: bob␤  password: ⟦⟧␤  host: h
    db:␤  user: bob␤  password: "⟦⟧"␤  host: h
    db:␤  user: bob␤  password: '⟦⟧'␤  host: h
    {db: {user: bob, password: ⟦⟧}, x: 1}
    {db: {user: bob, password: '⟦⟧'}, x: 1}
    - name: DB_PASSWORD␤  value: ⟦⟧
    - name: DB_PASSWORD␤  value: "⟦⟧"
    - name: DB_USER␤  value: bob␤- name: DB_PASSWORD␤  value: ⟦⟧
    environment:␤  - POSTGRES_PASSWORD=⟦⟧␤  - POSTGRES_USER=bob
    environment:␤  POSTGRES_PASSWORD: ⟦⟧␤  POSTGRES_USER: bob
    kind: Secret␤metadata:␤  name: app␤data:␤  config: ⟦YU13I2QqMGMhTHReJFk=⟧
    apiVersion: v1␤kind: Secret␤metadata:␤  name: app␤stringData:␤  config.yaml: ⟦⟧␤type: Opaque
    apiVersion: v1␤data:␤  username: ⟦Ym9i⟧␤  config: ⟦YU13I2QqMGMhTHReJFk=⟧␤kind: Secret␤metadata:␤  name: app
    ~{"apiVersion":"v1","kind":"Secret","data":{"config":"⟦YU13I2QqMGMhTHReJFk=⟧"},"metadata":{"name":"app"}}
    ~{"apiVersion":"v1","data":{"config":"⟦YU13I2QqMGMhTHReJFk=⟧"},"kind":"Secret","metadata":{"name":"app"}}
    ~{"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "⟦YU13I2QqMGMhTHReJFk=⟧", "b": "⟦hunter2hunter2⟧"}}
    ~kubectl.kubernetes.io/last-applied-configuration: {"apiVersion":"v1","data":{"config":"⟦YU13I2QqMGMhTHReJFk=⟧"},"kind":"Secret"}
    variable "db_password" {␤  default = "⟦⟧"␤}
    resource "x" "y" {␤  password = "⟦⟧"␤  user = "bob"␤}
    + password = "⟦⟧"
    ~ master_password = "⟦⟧" -> "⟦⟧"
      + master_password      = "⟦⟧"
    db_password = "⟦⟧"
    token = "⟦⟧"
    [auth]␤token = "⟦⟧"
    [remote]␤password = """⟦⟧"""
    ~secrets:␤  db: ⟦⟧␤  api: ⟦⟧
    ~secrets: {db: ⟦⟧}
    tls.key: ⟦LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1JSUV2UUlCQURBTkJna3Foa2lH⟧
    client-key-data: ⟦LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1JSUV2UUlCQURBTkJna3Foa2lH⟧
    users:␤- name: bob␤  user:␤    token: ⟦⟧
    users:␤- name: bob␤  passwd: ⟦$6$abcdefgh$0123456789abcdefghijklmnopqrstuvwxyz⟧
    wifis:␤  wlan0:␤    access-points:␤      home:␤        password: ⟦⟧
    basic_auth:␤  username: bob␤  password: ⟦⟧
    ~basicAuth: bob:⟦⟧
    basic_auth_users:␤  bob: ⟦$2y$10$abcdefghijklmnopqrstuv⟧
    http_headers:␤  Authorization: Bearer ⟦abcdef123456⟧
    ## xml, plist, json
    ~<add name="Db" connectionString="Server=h;Database=a;User Id=bob;Password=⟦sT5Q5-_3v8W83B⟧;" />
    <add key="ApiKey" value="⟦⟧" />
    <add key="SmtpPassword" value="⟦⟧"/>
    <setting name="Password" serializeAs="String"><value>⟦⟧</value></setting>
    <property name="hibernate.connection.password">⟦⟧</property>
    <property name="password" value="⟦⟧"/>
    <server><id>r</id><username>bob</username><password>⟦⟧</password></server>
    <server>␤  <username>bob</username>␤  <passphrase>⟦⟧</passphrase>␤</server>
    <Resource name="jdbc/a" username="bob" password="⟦⟧" url="jdbc:mysql://h/a"/>
    <Connector port="8443" keystorePass="⟦⟧" keystoreFile="a"/>
    <user username="bob" password="⟦⟧" roles="admin"/>
    <identity impersonate="true" userName="bob" password="⟦⟧"/>
    <machineKey validationKey="⟦0123456789ABCDEF0123⟧" decryptionKey="⟦0123456789ABCDEF0123⟧"/>
    ~<packageSourceCredentials><a><add key="Username" value="bob" /><add key="ClearTextPassword" value="⟦⟧" /></a></packageSourceCredentials>
    <key>Password</key>␤<string>⟦⟧</string>
    <key>PayloadContent</key><string>x</string><key>WiFiPassword</key><string>⟦⟧</string>
    <wsse:Password Type="x#PasswordText">⟦⟧</wsse:Password>
    <wsse:BinarySecurityToken ValueType="x">⟦MIICmTCCAgKgAwIBAgIGAR⟧</wsse:BinarySecurityToken>
    <ns1:apiKey>⟦⟧</ns1:apiKey>
    <Login Password="⟦⟧" User="bob"></Login>
    <param name="password">⟦⟧</param>
    <entry key="password">⟦⟧</entry>
    <con:password>⟦⟧</con:password>
    <hudson.util.Secret>⟦{AQAAABAAAAAQabcdefghijklmnop}⟧</hudson.util.Secret>
    <secretAccessKey>⟦⟧</secretAccessKey>
    ~<AutoLogon><Password><Value>⟦⟧</Value><PlainText>true</PlainText></Password></AutoLogon>
    <samlp:Response><ds:SignatureValue>⟦abcdefghijklmnopqrstuvwxyz0123456789==⟧</ds:SignatureValue></samlp:Response>
    {"auths": {"r.example": {"auth": "⟦dXlhZm95YTpRajNHVi1lS19zOTd0VA==⟧"}}}
    {"auths":{"r.example":{"username":"bob","password":"⟦⟧","auth":"⟦dXlhZm95YTpRajNHVi1lS19zOTd0VA==⟧"}}}
    ~{"private_key_id": "k1", "private_key": "⟦-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----⟧\n", "client_email": "a"}
    {"type":"authorized_user","client_id":"a","client_secret":"⟦⟧","refresh_token":"⟦1//0abcdefghijklmnopqrstuvwx⟧"}
    {"kty":"EC","crv":"P-256","kid":"k1","x":"AAAA","y":"BBBB","d":"⟦JRJUjUsxM0SSj0ZW6he_snFp3o36t_Ut2jRVvYjggSF⟧"}
    {"kty":"RSA","n":"AAAA","e":"AQAB","d":"⟦JRJUjUsxM0SSj0ZW6he⟧","p":"⟦abcdefghijk⟧","q":"⟦lmnopqrstuv⟧","dp":"⟦wxyzabcdefg⟧","dq":"⟦hijklmnopqr⟧","qi":"⟦stuvwxyzabc⟧"}
    {"kty": "oct", "k": "⟦GawgguFyGrWKav7AX4VKUg⟧", "alg": "HS256"}
    {'kty': 'OKP', 'crv': 'Ed25519', 'd': '⟦nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A⟧', 'x': '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'}
    {"d":"⟦JRJUjUsxM0SSj0ZW6he⟧","kty":"EC","crv":"P-256","x":"AAAA","y":"BBBB"}
    {"credential":{"id":"x","rawId":"y","response":{"signature":"⟦MEUCIQDabcdefgh⟧"}}}
    ~{"password":{"value":"⟦⟧","confirm":"⟦⟧"}}
    {"old_password":"⟦⟧","new_password":"⟦⟧"}
    {"passcode":"⟦839201⟧","x":1}
    {"otp": ⟦839201⟧, "x": 1}
    {"code":"invalid","otp":"⟦839201⟧"}
    {"user":"bob","pass":"⟦⟧"}
    {"user":"bob","pw":"⟦⟧"}
    {"variables":{"input":{"email":"a","password":"⟦⟧"}}}
    {"query":"mutation { login(email: \"a\", password: \"⟦⟧\") { token } }"}
    mutation { login(email: "a", password: "⟦⟧") { id } }
    query { me(token: "⟦abc123def456⟧") { id } }
    ## files of programs
    machine h login bob password ⟦⟧
    machine h␤login bob␤password ⟦⟧␤
    default login bob password ⟦⟧
    h:5432:shop:bob:⟦⟧
    localhost:5432:*:bob:⟦⟧
    *:*:*:bob:⟦⟧
    //registry.npmjs.org/:_authToken=⟦⟧
    //registry.npmjs.org/:_password=⟦aHVudGVyMg==⟧
    _auth = ⟦Ym9iOmh1bnRlcjI=⟧
    npmAuthToken: ⟦⟧
    [pypi]␤username = __token__␤password = ⟦pypi-AgEIcHlwaS5vcmcCJGFiY2RlZmdo⟧
    define('DB_PASSWORD', '⟦⟧');
    define( 'DB_PASSWORD', '⟦⟧' );
    define("DB_PASSWORD", "⟦⟧");
    define('AUTH_KEY',         '⟦⟧');
    define('NONCE_SALT', '⟦⟧');
    $databases['default']['password'] = '⟦⟧';
    'password' => '⟦⟧',
    $config['db']['pass'] = "⟦⟧";
    $cfg['Servers'][$i]['password'] = '⟦⟧';
    $CFG->dbpass    = '⟦⟧';
    $db_password = "⟦⟧";
    array('user' => 'bob', 'password' => '⟦⟧')
    ~config.secret_key_base = '⟦⟧'
    bob:⟦$6$abcdefgh$0123456789abcdefghijklmnopqrstuvwxyz⟧:19000:0:99999:7:::
    bob:⟦$apr1$abcdefgh$0123456789abcdefghijkl⟧
    bob:⟦$2y$05$abcdefghijklmnopqrstuvwxyz0123456789⟧
    ~bob:⟦{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=⟧
    bob:⟦$y$j9T$abcdefghijklmnop$0123456789abcdefghijklmnop⟧:19000:0:99999:7:::
    bob:realm:⟦0123456789abcdef0123456789abcdef⟧
    bob:1001:⟦aad3b435b51404eeaad3b435b51404ee:31d6cfe0d16ae931b73c59d7e0c089c0⟧:::
    network={␤ ssid="home"␤ psk="⟦⟧"␤}
    network={␤ ssid="home"␤ #psk="⟦⟧"␤ psk=⟦0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef⟧␤}
    wpa_passphrase=⟦⟧
    psk=⟦⟧
    wep_key0=⟦⟧
    PrivateKey = ⟦yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=⟧
    PresharedKey = ⟦yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=⟧
    : PSK "⟦⟧"
    h1 h2 : PSK "⟦⟧"
    bob : EAP "⟦⟧"
    bob : XAUTH "⟦⟧"
    client 10.0.0.0/24 {␤ secret = ⟦⟧␤ }
    secret ⟦⟧
    server=10.0.0.1 secret=⟦⟧
    tacacs-server key ⟦⟧
    tacacs-server host 10.0.0.1 key 7 ⟦0822455D0A16⟧
    radius-server key 7 ⟦0822455D0A16⟧
    enable secret 5 ⟦$1$mERr$hx5rVt7rPNoS4wqbXKX7m0⟧
    enable password 7 ⟦0822455D0A16⟧
    enable password ⟦⟧
    username bob password 7 ⟦0822455D0A16⟧
    username bob privilege 15 secret 9 ⟦$9$abcdefgh$ijklmnopqrstuvwx⟧
    username bob password 0 ⟦⟧
    neighbor 10.0.0.1 password ⟦⟧
    snmp-server community ⟦⟧ RO
    rocommunity ⟦⟧ 10.0.0.0/8
    com2sec ro default ⟦⟧
    ip ospf message-digest-key 1 md5 ⟦⟧
    key-string ⟦⟧
    crypto isakmp key ⟦⟧ address 10.0.0.1
    set system root-authentication encrypted-password "⟦$1$mERr$hx5rVt7rPNoS4wqbXKX7m0⟧"
    wpa-psk ascii 0 ⟦⟧
    ~smtp_sasl_password_maps = static:bob:⟦⟧
    [smtp.example]:587 bob:⟦⟧
    relayhost bob:⟦⟧
    proxy_set_header Authorization "Basic ⟦Ym9iOmh1bnRlcjI=⟧";
    proxy_set_header Authorization "Bearer ⟦abcdef123456⟧";
    proxy_set_header X-Api-Key "⟦⟧";
    fastcgi_param DB_PASSWORD ⟦⟧;
    fastcgi_param DB_PASSWORD "⟦⟧";
    SetEnv DB_PASSWORD ⟦⟧
    SetEnv DB_PASSWORD "⟦⟧"
    RequestHeader set Authorization "Basic ⟦Ym9iOmh1bnRlcjI=⟧"
    RequestHeader set X-Api-Key "⟦⟧"
    AuthLDAPBindPassword "⟦⟧"
    AuthLDAPBindPassword ⟦⟧
    DBDParams "host=h user=bob password=⟦⟧"
    SSLPassPhrase ⟦⟧
    olcRootPW: ⟦⟧
    olcRootPW: ⟦{SSHA}qk2xPmfVXyXW1eLc3kq0OiVmJo8vxmGB⟧
    binddn cn=a␤bindpw ⟦⟧␤base dc=b
    username=bob␤password=⟦⟧␤domain=d
    account bob␤  password ⟦⟧␤
    set imap_pass="⟦⟧"
    set smtp_pass = "⟦⟧"
    set smtp_url="smtps://bob:⟦⟧@h"
    poll h proto imap user "bob" password "⟦⟧"
    poll h user bob there with password "⟦⟧" is bob here
    requirepass ⟦⟧
    user default on >⟦⟧ ~* &* +@all
    masteruser a␤masterauth ⟦⟧
    rpcuser=bob␤rpcpassword=⟦⟧
    ~rpcauth=bob:⟦0123456789abcdef$0123456789abcdef0123456789abcdef⟧
    cluster.auth: ⟦⟧
    xpack.security.authc.realms.ldap.l.bind_password: ⟦⟧
    elasticsearch.password: "⟦⟧"
    ~http_auth=('elastic', '⟦⟧')
    stats auth bob:⟦⟧
    user bob insecure-password ⟦⟧
    user bob password ⟦$5$abcdefgh$0123456789abcdefghijklmnop⟧
    bob:{PLAIN}⟦⟧
    bob:{CRAM-MD5}⟦0123456789abcdef0123456789abcdef⟧
    auth_user_file: x␤admin_password = ⟦⟧
    admin_passwd = ⟦⟧
    db_password = ⟦⟧␤db_port = False
    xmlrpc_pass: ⟦⟧
    erlang.cookie = ⟦⟧
    default_pass = ⟦⟧
    management.load_definitions=x␤default_user=bob␤default_pass=⟦⟧
    "password_hash": "⟦abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKL⟧"
    ## statements
    ALTER USER bob WITH PASSWORD '⟦⟧'
    ALTER USER bob IDENTIFIED BY '⟦⟧'
    ALTER USER bob IDENTIFIED BY "⟦⟧"
    ALTER USER bob IDENTIFIED BY ⟦sT5Q53v8W83B⟧
    ALTER ROLE bob ENCRYPTED PASSWORD '⟦⟧';
    ALTER LOGIN bob WITH PASSWORD = '⟦⟧' OLD_PASSWORD = '⟦⟧'
    CREATE LOGIN bob WITH PASSWORD = N'⟦⟧'
    CREATE USER 'bob'@'%' IDENTIFIED WITH mysql_native_password BY '⟦⟧'
    CREATE USER bob IDENTIFIED WITH sha256_password BY '⟦⟧'
    CREATE USER bob PASSWORD '⟦⟧'
    CREATE USER bob WITH PASSWORD '⟦⟧' SUPERUSER
    GRANT ALL ON a.* TO 'bob'@'%' IDENTIFIED BY '⟦⟧'
    SET PASSWORD = PASSWORD('⟦⟧')
    SET PASSWORD FOR 'bob'@'h' = PASSWORD('⟦⟧')
    SET PASSWORD FOR 'bob'@'h' = '⟦⟧'
    UPDATE mysql.user SET authentication_string = PASSWORD('⟦⟧') WHERE user = 'bob'
    UPDATE users SET password = '⟦⟧' WHERE id = 7
    UPDATE users SET password='⟦⟧', mail='a' WHERE id=7
    UPDATE `users` SET `password` = '⟦⟧' WHERE `id` = 7
    UPDATE "users" SET "password" = '⟦⟧' WHERE "id" = 7
    UPDATE [users] SET [password] = '⟦⟧' WHERE [id] = 7
    SELECT * FROM users WHERE name = 'bob' AND password = '⟦⟧'
    ~SELECT * FROM users WHERE password = MD5('⟦⟧')
    SELECT crypt('⟦⟧', gen_salt('bf'))
    SELECT PASSWORD('⟦⟧')
    SELECT pgp_sym_encrypt('a', '⟦⟧')
    INSERT INTO users (name, password) VALUES ('bob', '⟦⟧')
    ~INSERT INTO users (name, password) VALUES ('bob', MD5('⟦⟧'))
    INSERT INTO `users` (`name`, `password`, `mail`) VALUES ('bob', '⟦⟧', 'a')
    INSERT INTO users SET name='bob', password='⟦⟧'
    INSERT INTO "users" ("name", "password") VALUES ('bob', '⟦⟧') RETURNING "id"
    REPLACE INTO users(name,password) VALUES('bob','⟦⟧')
    CREATE SERVER s FOREIGN DATA WRAPPER f OPTIONS (user 'bob', password '⟦⟧')
    CREATE USER MAPPING FOR bob SERVER s OPTIONS (user 'x', password '⟦⟧')
    CREATE SUBSCRIPTION s CONNECTION 'host=h user=bob password=⟦⟧' PUBLICATION p
    CREATE DATABASE LINK l CONNECT TO bob IDENTIFIED BY ⟦sT5Q53v8W83B⟧ USING 'x'
    CHANGE MASTER TO MASTER_HOST='h', MASTER_USER='bob', MASTER_PASSWORD='⟦⟧'
    CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD='⟦⟧'
    START SLAVE USER='bob' PASSWORD='⟦⟧'
    CREATE MASTER KEY ENCRYPTION BY PASSWORD = '⟦⟧'
    OPEN SYMMETRIC KEY k DECRYPTION BY PASSWORD = '⟦⟧'
    CREATE CREDENTIAL c WITH IDENTITY = 'bob', SECRET = '⟦⟧'
    COPY t FROM 's3://b' CREDENTIALS 'aws_access_key_id=AKIDEXAMPLE;aws_secret_access_key=⟦⟧'
    CREATE STAGE s CREDENTIALS = (AWS_KEY_ID = 'AKIDEXAMPLE' AWS_SECRET_KEY = '⟦⟧')
    EXEC sp_addlogin 'bob', '⟦⟧'
    EXEC sp_password NULL, '⟦⟧', 'bob'
    LOG:  statement: ALTER USER bob PASSWORD '⟦⟧';
    ~DETAIL:  parameters: $1 = 'bob', $2 = '⟦⟧'
    ~DETAIL:  Parameters: $1 = 'bob', $2 = '⟦⟧'
    [SQL: INSERT INTO users (name, password) VALUES (?, ?)]␤[parameters: ⟦('bob', 'hunter2')⟧]
    Executing (default): UPDATE users SET password='⟦⟧' WHERE id=1
    User Load (0.2ms)  SELECT * FROM users WHERE users.reset_token = $1 [["reset_token", "⟦abc123def456⟧"], ["LIMIT", 1]]
    User Update (0.2ms) UPDATE users SET password = ? [["password", "⟦⟧"]]
    Hibernate: binding parameter [1] as [VARCHAR] - [⟦⟧]
    db.users.insert({name: "bob", password: "⟦⟧"})
    { find: "users", filter: { password: "⟦⟧" } }
    '''
)
_HARMLESS = texts(
    r"""
    PWD=/home/bob
    PWD=/srv/app␤OLDPWD=/home/bob
    [client]␤user=bob␤host=h
    password_file = /etc/app/password
    AuthUserFile /etc/apache2/.htpasswd
    auth_basic_user_file /etc/nginx/.htpasswd;
    PasswordAuthentication no
    PasswordAuthentication yes
    PubkeyAuthentication yes
    password_encryption = scram-sha-256
    ssl_certificate_key /etc/ssl/private/app.key;
    ssl_key_file = '/etc/ssl/app.key'
    session.timeout = 30
    token_expiry: 3600
    kind: ConfigMap␤metadata:␤  name: app␤data:␤  config: value
    kind: Secret␤metadata:␤  name: app
    {"kind":"ConfigMap","data":{"region":"eu"}}
    {"kty":"EC","crv":"P-256","kid":"k1","x":"AAAA","y":"BBBB"}
    {"kty":"RSA","n":"AAAA","e":"AQAB","kid":"k"}
    {"d": 4, "p": 7, "q": "lion", "k": 3}
    user bob
    user www-data;
    machine h login bob
    snmp-server location room 4
    snmp-server contact bob
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $remote_addr;
    SetEnv APP_ENV production
    RequestHeader set X-Forwarded-Proto "https"
    ALTER USER bob WITH SUPERUSER
    ALTER TABLE users ADD COLUMN password TEXT NOT NULL
    CREATE TABLE users (name TEXT, password TEXT, token VARCHAR(64))
    SELECT id, password FROM users
    SELECT password, token FROM users WHERE id = 7
    UPDATE users SET password = ? WHERE id = ?
    INSERT INTO users (name, password) VALUES (?, ?)
    INSERT INTO users (name, mail) VALUES ('bob', 'a')
    DROP USER bob
    GRANT SELECT ON a.* TO bob
    DETAIL:  Key (id)=(7) already exists.
    postfix/smtp[1]: 1A2B: to=<bob@example.com>, relay=h[203.0.113.7]:25, delay=0.2, dsn=2.0.0, status=sent (250 ok)
    postfix/smtp[1]: dsn=4.4.1, status=deferred
    bob:x:1000:1000:Bob:/home/bob:/bin/bash
    bob:*:19000:0:99999:7:::
    h:5432: connection refused
    localhost:5432 accepts connections
    listen 127.0.0.1:5432 db:shop
    stats enable
    default via 10.0.0.1 dev eth0
    username: bob␤role: admin
    """
)


@pytest.mark.parametrize("example", _SECRET, ids=lambda example: example[0][0][:60])
def test_the_secrets_of_settings_and_statements_are_masked(example):
    check(example)


@pytest.mark.parametrize("text", _HARMLESS)
def test_settings_without_a_secret_are_kept(text):
    assert Redactor().redact_text(text) == text
