"""URLs with userinfo, DSNs, connection strings and signed links, as drivers and clients log them."""

from __future__ import annotations

from collections.abc import Iterator

from corpora.cases import Shape, blocks, lines, structures

__all__ = ["shapes"]

_URLS = r"""
url-postgres | SQLAlchemy: could not connect | could not connect to postgresql://«user»:«password»@«!host»:5432/«!db»
url-postgres-driver | SQLAlchemy's create_engine in an application's start | engine: postgresql+asyncpg://«user»:«strong|url»@«!host»/«!db»?ssl=require
url-mysql | a Django service printing DATABASE_URL | using DATABASE_URL mysql://«user»:«password»@«!host»:3306/«!db»?charset=utf8mb4
url-mysql-driver | SQLAlchemy with aiomysql | mysql+aiomysql://«user»:«word»@«!host»/«!db»
url-mongodb | PyMongo: ServerSelectionTimeoutError beside the URI | connecting to mongodb://«user»:«password»@«!host»:27017,db2.example:27017/«!db»?replicaSet=rs0&authSource=admin
url-mongodb-srv | Mongoose: connect ECONNREFUSED | mongodb+srv://«user»:«strong|url»@«!host»/«!db»?retryWrites=true&w=majority
url-redis-password-only | redis-py: Redis.from_url in Celery's banner | transport: redis://:«password»@«!host»:6379/0
url-redis-tls | Sidekiq booting with options | rediss://default:«token»@«!host»:25061/1
url-amqp | Celery: consumer: Cannot connect to | consumer: Cannot connect to amqp://«user»:«password»@«!host»:5672/vhost: timed out.
url-amqps | pika: AMQPConnectionWorkflowFailed | amqps://«user»:«token»@«!host»/«user»
url-smtp | Symfony mailer's MAILER_DSN | mailer dsn smtp://«user»:«percent|url»@«!host»:587
url-ftp | curl: (67) Access denied | ftp://«user»:«password»@«!host»/pub/report.csv
url-sftp | an import job's start line | fetching sftp://«user»:«password»@«!host»:22/inbox/*.csv
url-https-basic | requests: HTTPError for url | 401 Client Error: Unauthorized for url: https://«user»:«password»@«!host»/api/v2/items
url-proxy | urllib3: ProxyError with the proxy's address | Cannot connect to proxy http://«user»:«password»@«!host»:3128
url-https-token-as-user | git: fatal: Authentication failed for | fatal: Authentication failed for 'https://«githubclassic»@«!host»/acme/app.git/'
url-git-x-access-token | GitHub Actions: git remote add | git remote add origin https://x-access-token:«githubapp»@github.com/acme/app.git
url-git-oauth2 | GitLab CI: fetching a submodule | Cloning into 'lib' from https://oauth2:«gitlab»@«!host»/group/lib.git
url-git-ci-token | GitLab runner | https://gitlab-ci-token:«token»@«!host»/group/app.git
url-pip-extra-index | pip: Looking in indexes | Looking in indexes: https://pypi.org/simple, https://«user»:«token»@«!host»/simple
url-at-in-password | psycopg: could not translate host name | postgresql://«user»:«odd»@«!host»:5432/«!db»
url-hash-in-password | a URL that nobody percent-encoded | mysql://«user»:«strong»@«!host»:3306/«!db»
url-password-of-digits | a URL with a password of digits | postgres://«user»:«numeric»@«!host»/«!db»
url-password-umlaut | a URL with letters beyond ASCII | ldap://«user»:«umlaut»@«!host»:389/dc=example
url-no-host | a broken URL in a ValueError | invalid URL: postgres://«user»:«password»@/«!db»
url-ipv6-host | a URL to an IPv6 address | redis://«user»:«password»@[2001:db8::7]:6379/2
url-empty-user-https | an address with a password only | https://:«token»@«!host»/v1/metrics
url-in-quotes | Python repr of a URL in an error | ConnectionError("cannot reach 'nats://«user»:«password»@«!host»:4222'")
url-clickhouse | clickhouse-driver's DSN | clickhouse://«user»:«password»@«!host»:9000/«!db»
url-snowflake | snowflake-sqlalchemy | snowflake://«user»:«percent|url»@«!account»/«!db»/public?warehouse=wh
url-elasticsearch | elasticsearch-py: Retrying request | GET https://elastic:«password»@«!host»:9200/_cluster/health [status:401]
url-couchdb | a CouchDB replication document | replicating http://admin:«password»@«!host»:5984/«!db»
url-mqtt | paho-mqtt in an IoT gateway | mqtt://device-«!id»:«hex32»@«!host»:1883
url-socks | ssh-proxy settings of a crawler | socks5h://«user»:«password»@«!host»:1080
url-sentry-old-dsn | raven: Sentry's old DSN with secret | Raven is using https://«sid»:«hex32»@«!host»/42
url-rtsp | ffmpeg: opening a camera | Input #0, rtsp, from 'rtsp://admin:«password»@«!ip»:554/stream1':
url-imap | an OfflineIMAP remote | imaps://«user»:«password»@«!host»:993/INBOX
url-twice | two URLs in one line | failover from postgres://«user»:«password:a»@«!host:a»/app to postgres://«user»:«password:b»@«!host:b»/app
url-userinfo-encoded-whole | a URL inside the query of another | GET /proxy?target=https%3A%2F%2F«user»%3A«password»%40«!host»%2Fpath
url-schemeless | rsync's and scp's address with a password | pulling from «user»:«password»@«!host»:/srv/data
"""

_QUERIES = r"""
query-access-token | OAuth 2 in a URL, refused by RFC 6750 but common | GET https://«!host»/me?fields=name&access_token=«opaque» HTTP/1.1
query-token | a webhook with a token | POST /hooks/build?token=«token»&ref=main
query-api-key | httpx: HTTP Request | HTTP Request: GET https://«!host»/v1/weather?q=Bern&api_key=«hex32» "HTTP/1.1 200 OK"
query-apikey | NewsAPI's client | https://«!host»/everything?q=x&apiKey=«hex32»
query-key-google | googleapiclient: HttpError | <HttpError 403 when requesting https://maps.example/maps/api/geocode/json?address=Bern&key=«google»&alt=json returned "denied">
query-password | nginx's access log of a login by GET | «ip» - - [12/Mar/2031:10:11:12 +0000] "GET /login?user=«!user»&password=«percent|form» HTTP/1.1" 302 0
query-sig-s3 | boto3: generate_presigned_url, signature version 2 | https://bucket.s3.example/a.pdf?AWSAccessKeyId=«!akia»&Signature=«base64|url»&Expires=1999999999
query-presigned-s3-v4 | boto3: generate_presigned_url, signature version 4 | https://bucket.s3.example/a.pdf?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=«akia»%2F20310312%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date=20310312T101112Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=«hex64»
query-amz-security-token | boto3: a presigned URL of temporary credentials | https://bucket.s3.example/k?X-Amz-Date=20310312T101112Z&X-Amz-Security-Token=«awssession|url»&X-Amz-SignedHeaders=host
query-azure-sas | azure-storage-blob: a SAS link | https://acct.blob.example/c/b.csv?sv=2022-11-02&ss=b&srt=o&sp=r&se=2031-03-12T10:11:12Z&st=2031-03-11T10:11:12Z&spr=https&sig=«base64|url»
query-gcs-signed | google-cloud-storage: Blob.generate_signed_url | https://storage.example/b/o?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=sa%40p.iam.example%2F20310312&X-Goog-Date=20310312T101112Z&X-Goog-Expires=900&X-Goog-SignedHeaders=host&X-Goog-Signature=«hex64»
query-cloudfront | CloudFront signed URL | https://d111.cloudfront.example/v.mp4?Expires=1999999999&Signature=«opaque»~&Key-Pair-Id=K2JCJMDEHXQW5F
query-reset-token | an application that logs its mail | Password reset: https://«!host»/reset-password?token=«opaque»
query-oauth-code-secret | a token request by GET | https://«!host»/oauth/token?client_id=«!name»&client_secret=«opaque»&grant_type=client_credentials
query-refresh-token | an OAuth client that puts all into the query | https://«!host»/token?grant_type=refresh_token&refresh_token=«googlerefresh»
query-id-token-fragment | OAuth's implicit flow: the fragment | redirected to https://«!host»/cb#access_token=«opaque»&token_type=Bearer&expires_in=3600
query-session-id | PHP's session in the URL | GET /cart.php?PHPSESSID=«alnum»&item=7
query-jsessionid | a servlet container's URL rewriting | GET /shop/cart;jsessionid=«hex32»?item=7
query-jwt | a websocket's URL | websocket connect wss://«!host»/ws?jwt=«jwt»
query-semicolon | an old CGI program | /cgi?user=«!user»;passwd=«password»;op=list
query-auth | Firebase's database REST | https://«!host»/users.json?auth=«hex40»&print=pretty
query-private-token | python-gitlab's old way | GET https://«!host»/api/v4/projects?private_token=«gitlab»&per_page=20
query-sas-service-bus | azure-servicebus: the token in an error | SharedAccessSignature sr=https%3A%2F%2Fns.servicebus.example&sig=«base64|url»&se=1999999999&skn=RootManageSharedAccessKey
query-hub-secret | WebSub's subscription | POST /hub?hub.mode=subscribe&hub.secret=«token»
query-nested-array | Rails: a GET with nested parameters | GET /login?user[name]=«!user»&user[password]=«percent|form»
hook-slack | Slack's incoming webhook | POST https://hooks.slack.com/services/«slackhook» 404
hook-discord | Discord's webhook | https://discord.com/api/webhooks/1098765432109876543/«opaque»abcdefghijklmnopqrstuvwxy
hook-telegram | python-telegram-bot: HTTP Request | POST https://api.telegram.org/bot«telegram»/sendMessage "HTTP/1.1 200 OK"
hook-teams | Microsoft Teams' incoming webhook | https://acme.webhook.office.com/webhookb2/«uuid:a»@«uuid:b»/IncomingWebhook/«hex32»/«uuid:c»
"""

_DSNS = r"""
dsn-libpq-keywords | psycopg: connection failed, with its conninfo | connection failed: host=«!host» port=5432 dbname=«!db» user=«!user» password=«strong»
dsn-libpq-quoted | psycopg: a conninfo with quotes | host='«!host»' user='«!user»' password='«spaced»' dbname='«!db»'
dsn-go-sql-mysql | go-sql-driver's DSN in a quoted log line | sql: open "«user»:«password»@tcp(«!host»:3306)/«!db»?parseTime=true"
dsn-odbc | pyodbc: the connection string in an error | DRIVER={ODBC Driver 18 for SQL Server};SERVER=«!host»;DATABASE=«!db»;UID=«!user»;PWD=«strong»
dsn-odbc-braces | ODBC: a value in braces | Driver={PostgreSQL Unicode};Server=«!host»;Uid=«!user»;Pwd={«comma»};Port=5432
dsn-adonet | Microsoft.Data.SqlClient in an exception | Server=tcp:«!host»,1433;Initial Catalog=«!db»;User ID=«!user»;Password=«strong»;Encrypt=True;
dsn-adonet-spaces | ADO.NET with blanks around = | Data Source = «!host»; User Id = «!user»; Password = «password»; Persist Security Info = True
dsn-jdbc-mysql | Hibernate: the URL with its password | jdbc:mysql://«!host»:3306/«!db»?user=«!user»&password=«percent|form»&useSSL=true
dsn-jdbc-postgres | HikariCP: jdbcUrl | HikariPool-1 - jdbcUrl=jdbc:postgresql://«!host»/«!db»?user=«!user»&password=«password»&ssl=true
dsn-jdbc-sqlserver | Microsoft's JDBC driver | jdbc:sqlserver://«!host»:1433;databaseName=«!db»;user=«!user»;password=«strong»;encrypt=true
dsn-jdbc-oracle-thin | Oracle's thin driver | jdbc:oracle:thin:«user»/«password»@//«!host»:1521/«!db»
dsn-sqlplus | sqlplus in a shell script's trace | + sqlplus -s «user»/«password»@«!host»:1521/«!db» @report.sql
dsn-azure-storage | azure-storage-blob: AccountKey in a ValueError | DefaultEndpointsProtocol=https;AccountName=«!name»;AccountKey=«base88»;EndpointSuffix=core.windows.net
dsn-service-bus | azure-servicebus | Endpoint=sb://«!host»/;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=«base64»
dsn-iot-hub | azure-iot-device | HostName=«!host»;DeviceId=«!name»;SharedAccessKey=«base64»
dsn-cosmos | azure-cosmos | AccountEndpoint=https://«!host»:443/;AccountKey=«base88»;
dsn-app-config | azure-appconfiguration | Endpoint=https://«!host»;Id=l0-s0:abc;Secret=«base64»
dsn-stackexchange-redis | StackExchange.Redis | «!host»:6380,password=«base64»,ssl=True,abortConnect=False
hard-dsn-pdo | PHP: PDO's constructor arguments in a stack trace | #0 /srv/app/db.php(12): PDO->__construct('mysql:host=«!host»;dbname=«!db»', '«!user»', '«password»')
dsn-kafka-jaas | Kafka: sasl.jaas.config | sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="«!user»" password="«strong»";
dsn-cassandra | cassandra-driver's auth provider | PlainTextAuthProvider(username='«!user»', password='«password»')
dsn-pymysql-kwargs | a helper that logs its keyword arguments | pymysql.connect(host='«!host»', user='«!user»', password='«quoted|json»', database='«!db»')
dsn-psycopg-dict | a helper that logs its settings | connecting with {'host': '«!host»', 'user': '«!user»', 'password': '«strong»', 'port': 5432}
dsn-ldap-bind | ldap3: Server bind | bind_s(dn='cn=admin,dc=example', cred='«password»') failed: {'desc': 'Invalid credentials'}
dsn-smtp-login | smtplib's debug output | send: 'AUTH PLAIN «basic»\r\n'
dsn-ftp-pass | ftplib's debug output | *cmd* 'PASS «password»'
dsn-pop3-pass | poplib's debug output | *cmd* 'PASS «strong»'
dsn-imap-login | imaplib's debug output | > NLLB1 LOGIN «!user» "«password»"
dsn-redis-auth | redis-py: a pipeline's exception text | Command # 1 (AUTH «password») of pipeline caused error: WRONGPASS
dsn-redis-auth-user | redis's MONITOR | 1893456000.123456 [0 «ip»:51000] "AUTH" "«!user»" "«password»"
dsn-sql-create-user | PostgreSQL: STATEMENT in its log | STATEMENT:  CREATE USER «!user» WITH PASSWORD '«strong»' LOGIN;
dsn-sql-alter-role | PostgreSQL: log_statement = ddl | LOG:  statement: ALTER ROLE "«!user»" ENCRYPTED PASSWORD '«password»';
dsn-sql-identified-by | MySQL's general log | 12 Query CREATE USER '«!user»'@'%' IDENTIFIED BY '«strong»'
dsn-sql-set-password | MySQL's general log | 12 Query SET PASSWORD FOR '«!user»'@'localhost' = '«password»'
dsn-sql-update | Django's debug log of a statement | (0.002) UPDATE accounts SET password = '«password»' WHERE username = '«!user»'; args=()
"""

_BLOCKS = r"""
## dsn-tns-with-credentials | cx_Oracle: the descriptor and the account
connecting as user=«!user» password=«password»
(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=«!host»)(PORT=1521))(CONNECT_DATA=(SERVICE_NAME=«!db»)))
## git-remote-v | git remote -v in a build's log
origin	https://«user»:«githubfine»@github.com/acme/app.git (fetch)
origin	https://«user»:«githubfine»@github.com/acme/app.git (push)
## git-config-file | cat .git/config
[remote "origin"]
	url = https://deploy:«gitlabdeploy»@«!host»/group/app.git
	fetch = +refs/heads/*:refs/remotes/origin/*
## odbc-ini | /etc/odbc.ini
[warehouse]
Driver = PostgreSQL
Servername = «!host»
Username = «!user»
Password = «strong»
## hard-pgpass | ~/.pgpass beside its name
~/.pgpass:
«host»:5432:«db»:«user»:«password»
"""

_FIELDS = (
    ("field-url", "a service that logs its settings", {"database_url": "postgresql://«user»:«strong|url»@«!host»/«!db»"}),
    ("field-url-neutral-name", "httpx's request in a field", {"url": "https://«!host»/v1?api_key=«hex40»&page=2"}),
    ("field-target-odd", "a job's target", {"target": "ftp://«user»:«odd|url»@«!host»/in"}),
    ("field-dsn-deep", "a pool's settings", {"pools": [{"size": 5, "dsn": "host=«!host» password=«password» user=«!user»"}]}),
    ("field-urls-list", "broker addresses of Celery", {"brokers": ["amqp://«user»:«password»@«!host:a»//", "redis://:«password:b»@«!host:b»/0"]}),
    ("field-connection-string", "ADO.NET settings", {"connectionString": "Server=«!host»;Uid=«!user»;Pwd=«comma»x;"}),
    ("field-key-is-url", "failures counted by address", {"failures": {"https://«user»:«password»@«!host»/": 3}}),
    ("field-request-query-params", "FastAPI's query parameters", {"query_params": {"page": "2", "access_token": "«opaque»"}}),
    ("field-query-pairs", "Starlette's query parameters as pairs", {"query": [["page", "2"], ["api_key", "«token»"]]}),
    ("field-query-string-bytes", "ASGI scope's query_string", {"query_string": "bytes:user=«!user»&password=«password»"}),
    ("field-parse-qs", "urllib.parse.parse_qs", {"args": {"token": ["«opaque»"], "page": ["2"]}}),
    ("field-referer", "nginx's JSON access log", {"http_referer": "https://«!host»/reset?token=«opaque»", "status": 200}),
    ("field-location", "a redirect's Location", {"location": "https://«!host»/cb#id_token=«jwt»&state=x"}),
    ("field-webhook", "an alert's receiver", {"receiver": {"type": "slack", "url": "https://hooks.slack.com/services/«slackhook»"}}),
    ("field-engine-args", "SQLAlchemy's connect_args", {"connect_args": {"host": "«!host»", "passwd": "«password»"}}),
    ("field-proxies", "requests' proxies", {"proxies": {"https": "http://«user»:«password»@«!host»:3128"}}),
)  # fmt: skip


def shapes() -> Iterator[Shape]:
    """Yield the shapes of connections."""
    yield from lines("connections", _URLS)
    yield from lines("links", _QUERIES)
    yield from lines("connections", _DSNS)
    yield from blocks("connections", _BLOCKS)
    yield from structures("connections", _FIELDS)
