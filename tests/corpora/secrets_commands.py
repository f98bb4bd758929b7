"""Command lines, environments, container manifests and configuration files that end up in logs."""

from __future__ import annotations

from collections.abc import Iterator

from corpora.cases import Shape, blocks, lines, structures

__all__ = ["shapes"]

_LINES = r"""
cmd-long-option | subprocess.CalledProcessError | Command 'backup --host «!host» --password «password» --verbose' returned non-zero exit status 1.
cmd-long-option-equals | an Ansible task's command | /opt/tool --user=«!user» --password=«strong» --dry-run
cmd-long-option-quoted | a shell trace | + deploy --token '«spaced»' --region eu
cmd-argv-repr | subprocess.CalledProcessError with a list | Command '['pg_dump', '--dbname', '«!db»', '--password', '«password»']' returned non-zero exit status 1.
cmd-argv-repr-equals | subprocess.CalledProcessError with a list | Command '['vault', 'login', '-method=userpass', 'username=«!user»', 'password=«password»']' timed out after 30 seconds
cmd-mysql-p | mysqldump in a cron mail | mysqldump -h «!host» -u «!user» -p«password» «!db» > dump.sql
cmd-mysql-p-argv | subprocess with mysql's argv | running ['mysql', '-u', '«!user»', '-p«password»', '«!db»']
cmd-curl-user | a deploy script's trace | + curl -sS -u «user»:«password» https://«!host»/api/builds
cmd-curl-user-long | a deploy script's trace | curl --user «user»:«strong|repr» -T app.tgz https://«!host»/repo/
cmd-curl-header | an API's documentation pasted into a ticket | curl -H "Authorization: Bearer «opaque»" https://«!host»/v1/me
cmd-curl-header-single | a shell trace | curl -X POST -H 'X-Api-Key: «token»' -d '{"a":1}' https://«!host»/v1/x
cmd-curl-data | a login by curl | curl -d 'username=«!user»&password=«percent|form»' https://«!host»/login
cmd-curl-json | a login by curl | curl --json '{"user": "«!user»", "password": "«strong»"}' https://«!host»/login
cmd-curl-proxy-user | curl behind a proxy | curl -x http://«!host»:3128 --proxy-user «user»:«password» https://a.example/
cmd-curl-oauth2 | curl | curl --oauth2-bearer «opaque» https://«!host»/
cmd-redis-cli | redis-cli in a health check | redis-cli -h «!host» -a «password» ping
cmd-redis-cli-url | redis-cli | redis-cli -u redis://:«password»@«!host»:6379 info
cmd-pgpassword | a cron job's line | PGPASSWORD=«password» psql -h «!host» -U «!user» -d «!db» -c 'vacuum'
cmd-pgpassword-quoted | a cron job's line | PGPASSWORD='«strong»' pg_dump -h «!host» «!db»
cmd-mysql-pwd | MYSQL_PWD before a command | env MYSQL_PWD="«password»" mysql -h «!host»
cmd-sshpass | sshpass in a process list | sshpass -p «password» ssh «!user»@«!host» uptime
cmd-docker-login | docker login in a CI log | docker login -u «!user» -p «password» «!host»
cmd-docker-login-long | docker login in a CI log | docker login --username «!user» --password «dockerhub» «!host»
cmd-docker-run-env | docker run in a process list | docker run -d -e MYSQL_ROOT_PASSWORD=«password» -e TZ=UTC mysql:8
cmd-helm-set | helm upgrade in a CI log | helm upgrade app ./chart --set image.tag=1.2 --set db.password=«password» --wait
cmd-kubectl-secret | kubectl in a shell trace | kubectl create secret generic db --from-literal=password=«strong|repr» -n prod
cmd-kubectl-token | kubectl | kubectl --server=https://«!host» --token=«jwt» get pods
cmd-az-login | Azure's CLI | az login --service-principal -u «uuid» -p «azureclient» --tenant «uuid:t»
cmd-aws-configure | AWS's CLI | aws configure set aws_secret_access_key «awssecret» --profile prod
cmd-export | a shell trace | + export AWS_SECRET_ACCESS_KEY=«awssecret»
cmd-export-aws-triple | credentials pasted into a shell | export AWS_ACCESS_KEY_ID=«akia» AWS_SECRET_ACCESS_KEY=«awssecret» AWS_SESSION_TOKEN=«awssession»
cmd-powershell | PowerShell's transcript | $env:API_TOKEN = "«token»"; .\deploy.ps1
cmd-powershell-secure | PowerShell's transcript | ConvertTo-SecureString -String "«strong»" -AsPlainText -Force # password
cmd-windows-set | cmd.exe with echo on | C:\app>set DB_PASSWORD=«password»
hard-cmd-net-use | Windows process creation event 4688 | net use Z: \\«!host»\share /user:«!user» «password»
cmd-openssl-pass | openssl | openssl rsa -in key.pem -passin pass:«password» -out plain.pem
cmd-keytool | keytool | keytool -list -keystore app.jks -storepass «password» -alias web
cmd-ansible-extra | ansible-playbook | ansible-playbook site.yml -e "ansible_become_password=«password»" --limit web
cmd-ansible-json | ansible's invocation | {"invocation": {"module_args": {"name": "«!user»", "login_password": "«password»", "state": "present"}}}
cmd-npm-config | npm in a CI log | npm config set //registry.npmjs.org/:_authToken «npm»
cmd-twine | twine | twine upload -u __token__ -p «pypi» dist/*
cmd-mongosh | mongosh | mongosh --host «!host» --username «!user» --password «password» --authenticationDatabase admin
cmd-java-system-property | a JVM's command line | java -Xmx1g -Djavax.net.ssl.keyStorePassword=«password» -jar app.jar
cmd-java-spring-arg | Spring Boot's command line | java -jar app.jar --spring.datasource.password=«strong» --server.port=8080
cmd-rclone | rclone | rclone copy --sftp-host «!host» --sftp-user «!user» --sftp-pass «token» a b
cmd-smbclient | smbclient | smbclient //«!host»/share -U «user»%«password» -c ls
cmd-ldapsearch | ldapsearch | ldapsearch -x -H ldap://«!host» -D cn=admin -w «password» -b dc=example
cmd-snmp | net-snmp | snmpget -v3 -u «!user» -l authPriv -a SHA -A «password» -x AES -X «password:x» «!host» sysName.0
cmd-gpg | gpg | gpg --batch --passphrase «passphrase» -d dump.gpg
cmd-htpasswd | htpasswd | htpasswd -bB .htpasswd «!user» «password»
cmd-wget | wget | wget --http-user=«!user» --http-password=«password» https://«!host»/x
cmd-sqlcmd | sqlcmd | sqlcmd -S «!host» -U «!user» -P «strong» -Q "select 1"
cmd-celery-banner | ps aux in a health report | app 411 0.1 python worker.py --broker-password=«password» -c 4
cmd-gh-auth | a shell trace | + echo «githubclassic» | gh auth login --with-token
hard-cmd-chpasswd | a shell trace | + echo «user»:«password» | chpasswd
env-line | printenv in a CI log | DATABASE_PASSWORD=«strong»
env-line-quoted | docker compose config | SECRET_KEY="«spaced»"
env-repr | repr of os.environ | environ({'PATH': '/usr/bin', 'HOME': '/root', 'STRIPE_SECRET_KEY': '«stripe»', 'LANG': 'C'})
env-github-actions-input | Actions' runner with debug | ##[debug]Set output deploy_token = «token»
docker-env | docker history | /bin/sh -c #(nop)  ENV API_TOKEN=«token»
docker-arg | docker build's log | #7 [2/5] RUN |1 NPM_TOKEN=«npm» /bin/sh -c npm ci
docker-inspect-env | docker inspect | "Env":["PATH=/usr/bin","POSTGRES_PASSWORD=«password»","LANG=C"]
systemd-environment | systemctl show | Environment=DB_HOST=«!host» DB_PASSWORD=«password»
"""

_BLOCKS = r"""
## env-dump | printenv in a CI log
HOME=/home/ci
DB_HOST=«!host»
DB_PASSWORD=«password»
GITHUB_TOKEN=«githubapp»
LANG=C.UTF-8
## env-export-block | a shell's declare -x
declare -x HOME="/root"
declare -x MAIL_PASSWORD="«strong»"
declare -x TERM="xterm"
## dockerfile | a Dockerfile in a build's error
FROM python:3.12
ENV APP_HOST=«!host» \
    APP_SECRET_KEY=«token»
ARG PIP_PASSWORD=«password»
## compose | docker compose config
services:
  db:
    image: postgres:16
    environment:
      POSTGRES_USER: «!user»
      POSTGRES_PASSWORD: «strong»
## compose-list | docker compose config
    environment:
      - MYSQL_DATABASE=«!db»
      - MYSQL_ROOT_PASSWORD=«password»
## k8s-env | kubectl describe or a manifest
        env:
        - name: DB_HOST
          value: «!host»
        - name: DB_PASSWORD
          value: "«strong»"
## k8s-secret | kubectl get secret -o yaml
apiVersion: v1
kind: Secret
metadata:
  name: db
type: Opaque
data:
  password: «password|b64»
## k8s-secret-string-data | a manifest that was applied
kind: Secret
stringData:
  password: «strong»
## k8s-secret-arbitrary-key | kubectl get secret -o yaml
apiVersion: v1
kind: Secret
metadata:
  name: app
data:
  config: «strong|b64»
## kubeconfig | ~/.kube/config
users:
- name: admin
  user:
    client-key-data: «base88»
    token: «opaque»
## npmrc | ~/.npmrc
registry=https://«!host»/
//registry.npmjs.org/:_authToken=«npm»
always-auth=true
## npmrc-basic | ~/.npmrc
_auth=«base64»
email=«!email»
## netrc | ~/.netrc
machine «!host»
  login «!user»
  password «password»
## netrc-one-line | ~/.netrc
machine «!host» login «!user» password «password»
## pypirc | ~/.pypirc
[pypi]
username = __token__
password = «pypi»
## aws-credentials | ~/.aws/credentials
[default]
aws_access_key_id = «akia»
aws_secret_access_key = «awssecret»
## aws-credentials-session | ~/.aws/credentials
[prod]
region = eu-west-1
aws_session_token = «awssession»
## docker-config | ~/.docker/config.json
{"auths": {"«!host»": {"auth": "«basic»"}}}
## ini | configparser
[mail]
host = «!host»
user = «!user»
password = «strong»
## toml | a settings file
[database]
host = "«!host»"
password = "«comma»"
port = 5432
## toml-multiline | a settings file
[auth]
signing_secret = '''
«hex64»
'''
## yaml | a settings file
smtp:
  host: «!host»
  password: «password»
  port: 25
## yaml-quoted | a settings file
db: {host: «!host», password: "«comma»", port: 5432}
## yaml-block | a settings file
tls:
  private_key: |
    -----BEGIN PRIVATE KEY-----
    «pem»
    -----END PRIVATE KEY-----
## properties | application.properties
spring.datasource.url=jdbc:mysql://«!host»/«!db»
spring.datasource.password=«strong»
## properties-colon | a Java properties file
mail.user: «!user»
mail.password: «password»
## hcl | terraform.tfvars
db_host     = "«!host»"
db_password = "«strong»"
## terraform-plan | terraform plan
  ~ resource "aws_db_instance" "main" {
      ~ password = "«password»" -> "«password:new»"
        username = "«!user»"
    }
## nginx-conf | nginx -T
proxy_set_header Host «!host»;
proxy_set_header Authorization "Basic «basic»";
## htaccess | wp-config.php
define( 'DB_USER', '«!user»' );
define( 'DB_PASSWORD', '«strong»' );
## php-array | Laravel's config dump
'mysql' => [
    'username' => '«!user»',
    'password' => '«strong»',
],
## php-print-r | PHP: print_r
Array
(
    [user] => «!user»
    [password] => «password»
)
## django-settings | diffsettings
DATABASES = {'default': {'HOST': '«!host»', 'USER': '«!user»', 'PASSWORD': '«strong»'}}
SECRET_KEY = 'django-insecure-«token»'
## ruby-yaml | database.yml
production:
  username: «!user»
  password: <%= ENV['DB_PASSWORD'] || '«password»' %>
## wifi | wpa_supplicant
network={
    ssid="office"
    psk="«alnum»"
}
## wireguard | wg-quick's configuration
[Interface]
Address = «!ip»/24
PrivateKey = «base64»
## hard-openvpn-auth | an inline static key
<auth-user-pass>
«user»
«password»
</auth-user-pass>
## git-credentials | ~/.git-credentials
https://«user»:«githubclassic»@github.com
## git-credential-fill | GIT_TRACE with a helper
protocol=https
host=«!host»
username=«!user»
password=«githubfine»
"""

_FIELDS = (
    ("argv-list", "subprocess.run in a wrapper's log", {"argv": ["backup", "--host", "«!host»", "--password", "«password»"]}),
    ("argv-list-equals", "subprocess.run in a wrapper's log", {"cmd": ["backup", "--user=«!user»", "--password=«password»"]}),
    ("argv-mysql", "subprocess.run in a wrapper's log", {"args": ["mysqldump", "-u", "«!user»", "-p«password»", "«!db»"]}),
    ("argv-curl", "subprocess.run in a wrapper's log", {"argv": ["curl", "-u", "«user»:«password»", "https://«!host»/"]}),
    ("argv-curl-header", "subprocess.run in a wrapper's log", {"argv": ["curl", "-H", "Authorization: Bearer «opaque»", "https://«!host»/"]}),
    ("argv-tuple-token", "click's context", {"argv": ("deploy", "--api-token", "«token»", "prod")}),
    ("env-dict", "os.environ as a field", {"env": {"PATH": "/usr/bin", "DB_HOST": "«!host»", "DB_PASSWORD": "«strong»"}}),
    ("env-list", "docker inspect", {"config": {"Env": ["PATH=/usr/bin", "POSTGRES_PASSWORD=«password»", "DB_HOST=«!host»"]}}),
    ("env-name-value", "Kubernetes API: a container", {"containers": [{"name": "web", "env": [{"name": "DB_HOST", "value": "«!host»"}, {"name": "DB_PASSWORD", "value": "«strong»"}]}]}),
    ("env-ecs", "AWS ECS: describe-task-definition", {"containerDefinitions": [{"environment": [{"name": "API_KEY", "value": "«token»"}]}]}),
    ("env-key-value-pairs", "CloudFormation's parameters", {"Parameters": [{"ParameterKey": "DbPassword", "ParameterValue": "«strong»"}]}),
    ("env-tags-upper", "a list of key and value", {"settings": [{"Key": "smtp_password", "Value": "«password»"}, {"Key": "smtp_host", "Value": "«!host»"}]}),
    ("k8s-secret-object", "Kubernetes API: a Secret", {"object": {"kind": "Secret", "metadata": {"name": "db"}, "data": {"password": "«password|b64»"}}}),
    ("k8s-last-applied", "kubectl's annotation", {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": '{"kind":"Secret","stringData":{"password":"«password»"}}'}}),
    ("secretsmanager-value", "boto3: get_secret_value", {"response": {"Name": "prod/db", "SecretString": '{"username":"«!user»","password":"«strong|json»"}'}}),
    ("secretsmanager-plain", "boto3: get_secret_value", {"response": {"Name": "prod/key", "SecretString": "«opaque»"}}),
    ("sts-credentials", "boto3: assume_role", {"Credentials": {"AccessKeyId": "«!akia»", "SecretAccessKey": "«awssecret»", "SessionToken": "«awssession»"}}),
    ("ssm-secure-string", "boto3: get_parameter with decryption", {"Parameter": {"Name": "/prod/db/password", "Type": "SecureString", "Value": "«strong»"}}),
    ("ansible-facts", "ansible's host variables", {"hostvars": {"ansible_user": "«!user»", "ansible_ssh_pass": "«password»", "ansible_become_pass": "«password:b»"}}),
    ("airflow-connection", "Airflow's connection", {"conn": {"conn_id": "dwh", "host": "«!host»", "login": "«!user»", "password": "«password»"}}),
    ("celery-kwargs", "Celery: Task received with kwargs", {"kwargs": {"user_id": 7, "new_password": "«strong»"}, "task": "accounts.reset"}),
    ("spark-conf", "Spark's configuration", {"conf": {"spark.hadoop.fs.s3a.access.key": "«akia»", "spark.hadoop.fs.s3a.secret.key": "«awssecret»"}}),
    ("kafka-conf", "confluent-kafka's configuration", {"conf": {"bootstrap.servers": "«!host»:9092", "sasl.username": "«!user»", "sasl.password": "«strong»"}}),
    ("kafka-ssl-conf", "Kafka's client configuration", {"conf": {"ssl.key.password": "«password»", "ssl.truststore.password": "«password:b»"}}),
)  # fmt: skip


def shapes() -> Iterator[Shape]:
    """Yield the shapes of commands and configurations."""
    yield from lines("commands", _LINES)
    yield from blocks("configuration", _BLOCKS)
    yield from structures("configuration", _FIELDS)
