"""Command lines as programs log them: options with a secret, and secrets that stand at a place of their own."""

import pytest

from logweir.redaction.redactor import Redactor
from support.marked import check, examples, texts

_SECRET = examples(
    r"""
    ## clouds
    aws configure set aws_secret_access_key ⟦JfnSrdLqM6FtcemkXB2reTYdwD/nExr6sChdZ6q7⟧ --profile prod
    aws configure set profile.prod.aws_session_token ⟦IQoJb3JpZ2luX2VjEAkaCXVz⟧
    aws rds modify-db-instance --db-instance-identifier a --master-user-password ⟦⟧
    aws secretsmanager put-secret-value --secret-id a --secret-string ⟦⟧
    aws secretsmanager create-secret --name a --secret-string '⟦{"user":"bob","password":"hunter2"}⟧'
    aws ssm put-parameter --name /prod/db/password --value ⟦⟧ --type SecureString
    aws iam create-login-profile --user-name bob --password ⟦⟧
    aws cognito-idp admin-set-user-password --username bob --password '⟦⟧' --permanent
    java -Daws.secretKey=⟦⟧ -jar app.jar
    java -jar app.jar --aws.secretAccessKey=⟦⟧
    --aws.secretAccessKey ⟦⟧
    gcloud sql users set-password root --host=% --instance=a --password=⟦⟧
    gcloud auth activate-refresh-token bob ⟦1//0abcdefghijklmnopqrstuvwx⟧
    az login --service-principal -u app -p ⟦⟧ --tenant t
    az keyvault secret set --vault-name v --name db --value ⟦⟧
    az storage blob list --account-key ⟦⟧ -c a
    az storage blob list --sas-token "⟦sv=2020&sig=abcdefgh⟧"
    az ad sp create-for-rbac --password ⟦⟧
    doctl auth init -t ⟦abcdef0123456789abcdef0123456789⟧
    heroku config:set DATABASE_PASSWORD=⟦⟧ -a app
    flyctl secrets set DB_PASSWORD=⟦⟧
    wrangler secret put API_KEY ⟦⟧
    vercel env add API_KEY ⟦⟧
    vercel --token ⟦⟧ deploy
    netlify deploy --auth ⟦⟧
    ## clusters
    kubectl create secret generic db --from-literal=password=⟦⟧ -n prod
    kubectl create secret generic db --from-literal=password='⟦⟧' -n prod
    kubectl create secret generic db --from-literal password=⟦⟧
    kubectl create secret generic db --from-literal=config=⟦⟧ -n prod
    kubectl create secret docker-registry r --docker-server=s --docker-username=u --docker-password=⟦⟧
    kubectl --token=⟦⟧ get pods
    kubectl --token ⟦⟧ get pods
    kubectl config set-credentials bob --token=⟦⟧
    kubectl config set-credentials bob --username=bob --password=⟦⟧
    kubectl set env deployment/a API_KEY=⟦⟧
    oc login https://h --token=⟦sha256~abcdefghijklmnop⟧
    oc login -u bob -p ⟦⟧ https://h
    helm install a . --set postgresql.auth.password=⟦⟧
    helm upgrade a . --set-string auth.rootPassword=⟦⟧,auth.user=bob
    helm upgrade a . --set auth.user=bob,auth.password=⟦⟧
    ~helm repo add r https://h --username bob --password ⟦⟧
    docker run -e POSTGRES_PASSWORD=⟦⟧ postgres
    docker run --env MYSQL_ROOT_PASSWORD=⟦⟧ mysql
    docker login -u bob -p ⟦⟧ registry.example
    docker login -u bob --password ⟦⟧ registry.example
    docker login -u bob --password=⟦⟧ registry.example
    docker build --build-arg NPM_TOKEN=⟦⟧ .
    ["docker", "login", "-u", "bob", "-p", "⟦⟧", "registry.example"]
    ['docker', 'run', '-e', 'POSTGRES_PASSWORD=⟦⟧', 'postgres']
    docker swarm join --token ⟦SWMTKN-1-49nj1cmql0jkz5s954yi3oex3nedyz0fb0xx14ie39trti4wxv-8vxv8rssmk743ojnwacrr2e7c⟧ h:2377
    ~kubeadm join h:6443 --token ⟦abcdef.0123456789abcdef⟧ --discovery-token-ca-cert-hash sha256:1234
    nomad acl bootstrap -token=⟦⟧
    consul kv put db/password ⟦⟧
    consul kv get -token=⟦⟧ a
    etcdctl put /db/password ⟦⟧
    etcdctl --user root:⟦⟧ get a
    vault login ⟦⟧
    vault login -method=userpass username=bob password=⟦⟧
    vault kv put secret/db password=⟦⟧
    vault write auth/approle/login role_id=a secret_id=⟦⟧
    vault operator unseal ⟦c2VjcmV0dW5zZWFsa2V5c2hhcmUwMDE=⟧
    vault unwrap ⟦⟧
    terraform apply -var db_password=⟦⟧ -auto-approve
    terraform apply -var 'db_password=⟦⟧'
    terraform apply -var="db_password=⟦⟧"
    ansible-playbook site.yml -e ansible_become_pass=⟦⟧
    ansible-playbook site.yml -e "db_password=⟦⟧ user=bob"
    ansible-playbook site.yml --extra-vars '{"db_password": "⟦⟧"}'
    ansible all -m user -a "name=bob password=⟦⟧ state=present"
    ansible_ssh_pass=⟦⟧
    pulumi config set --secret dbPassword ⟦⟧
    pulumi config set dbPassword ⟦⟧ --secret
    rabbitmqctl add_user bob ⟦⟧
    rabbitmqctl change_password bob ⟦⟧
    rabbitmqctl authenticate_user bob ⟦⟧
    rabbitmqadmin -u bob -p ⟦⟧ list queues
    kafka-configs.sh --alter --add-config 'SCRAM-SHA-256=[iterations=8192,password=⟦⟧]' --entity-type users
    nats pub -s nats://h --user bob --password ⟦⟧ a b
    ## databases
    mysql -u bob -p⟦⟧ shop
    mysql -ubob -p⟦⟧ shop
    mysql --user=bob --password=⟦⟧ shop
    /usr/bin/mysqldump -h h -u bob -p⟦⟧ shop
    ['mysqldump', '-u', 'bob', '-p⟦⟧', 'shop']
    mysqladmin -u root password ⟦⟧
    mysqladmin -u root -p⟦⟧ password '⟦⟧'
    MYSQL_PWD=⟦⟧ mysqldump shop
    PGPASSWORD=⟦⟧ psql -h h -U bob
    PGPASSWORD='⟦⟧' pg_dump -h h
    psql "host=h user=bob password=⟦⟧ dbname=a"
    psql postgresql://bob:⟦⟧@h/a
    pg_dump --dbname=postgresql://bob:⟦⟧@h:5432/a
    createuser --pwprompt && psql -c "ALTER USER bob WITH PASSWORD '⟦⟧'"
    psql -c "CREATE ROLE bob LOGIN ENCRYPTED PASSWORD '⟦⟧'"
    mongo -u bob -p ⟦⟧ --authenticationDatabase admin
    mongodump --uri=mongodb://bob:⟦⟧@h/a
    mongosh --username bob --password ⟦⟧ h
    mongoimport --username=bob --password=⟦⟧
    db.createUser({user: "bob", pwd: "⟦⟧", roles: []})
    db.auth("bob", "⟦⟧")
    redis-cli -h h -a ⟦⟧ ping
    redis-cli -h h -a '⟦⟧' ping
    redis-cli --pass ⟦⟧ ping
    redis-cli -u redis://default:⟦⟧@h:6379
    redis-server --requirepass ⟦⟧ --port 6379
    sqlcmd -S h -U sa -P ⟦⟧ -Q "select 1"
    bcp a out b -S h -U sa -P⟦⟧
    sqlplus bob/⟦⟧@orcl
    sqlplus system/⟦⟧@//h:1521/orcl
    sqlplus -s bob/⟦⟧
    impdp bob/⟦⟧@orcl directory=d
    expdp system/⟦⟧ schemas=a
    influx -username bob -password ⟦⟧
    influx setup --username bob --password ⟦⟧ --token ⟦⟧ --org o
    clickhouse-client --user bob --password ⟦⟧
    cqlsh h -u bob -p ⟦⟧
    cqlsh -u bob -p '⟦⟧' h
    neo4j-admin dbms set-initial-password ⟦⟧
    neo4j-admin set-initial-password ⟦⟧
    cypher-shell -u neo4j -p ⟦⟧
    elasticsearch-users useradd bob -p ⟦⟧ -r superuser
    elasticsearch-reset-password -u elastic -p ⟦⟧
    db2 connect to a user bob using ⟦⟧
    isql dsn bob ⟦⟧
    snowsql -a a -u bob --password ⟦⟧
    ## keys and certificates
    openssl rsa -in k.pem -passin pass:⟦⟧ -out o.pem
    openssl pkcs12 -export -out a.p12 -passout pass:⟦⟧
    ~openssl pkcs12 -in a.p12 -password pass:⟦⟧
    openssl enc -aes-256-cbc -k ⟦⟧ -in a
    ~openssl enc -aes-256-cbc -pass pass:⟦⟧ -in a
    openssl enc -aes-256-cbc -K ⟦0123456789abcdef0123456789abcdef⟧ -iv 00
    openssl s_client -psk ⟦0123456789abcdef⟧ -connect h
    openssl dgst -sha256 -hmac ⟦⟧ a
    gpg --batch --passphrase ⟦⟧ -d a.gpg
    gpg --batch --passphrase=⟦⟧ -d a.gpg
    keytool -genkey -keystore a.jks -storepass ⟦⟧ -keypass ⟦⟧
    keytool -importkeystore -srcstorepass ⟦⟧ -deststorepass ⟦⟧
    jarsigner -storepass ⟦⟧ -keystore a app.jar alias
    ['keytool', '-storepass', '⟦⟧', '-list']
    java -Djavax.net.ssl.keyStorePassword=⟦⟧ -Djavax.net.ssl.trustStorePassword=⟦⟧ -jar a.jar
    ssh-keygen -t ed25519 -N ⟦⟧ -f k
    ssh-keygen -p -P ⟦⟧ -N ⟦⟧ -f k
    ssh-keygen -t rsa -N "⟦⟧" -f k
    signtool sign /f a.pfx /p ⟦⟧ a.exe
    cryptsetup luksOpen /dev/sda a --key-file - <<< ⟦⟧
    htpasswd -b .htpasswd bob ⟦⟧
    htpasswd -bB .htpasswd bob ⟦⟧
    htpasswd -cb /etc/nginx/.htpasswd bob ⟦⟧
    htpasswd -nb bob ⟦⟧
    htpasswd -nbB bob '⟦⟧'
    htdigest
    echo ⟦⟧ | sudo -S apt update
    echo '⟦⟧' | sudo -S apt update
    echo "⟦⟧" | docker login -u bob --password-stdin
    ~echo bob:⟦⟧ | chpasswd
    ~echo 'bob:⟦⟧' | sudo chpasswd
    ~echo "bob:⟦⟧" | chpasswd -e
    useradd -m -p ⟦⟧ bob
    usermod --password ⟦⟧ bob
    usermod -p '⟦⟧' bob
    echo -n "⟦⟧" | passwd --stdin bob
    echo ⟦⟧ | passwd --stdin bob
    ~printf '⟦⟧\n⟦⟧\n' | smbpasswd -s -a bob
    net user bob ⟦⟧ /add
    net user bob ⟦⟧
    net use Z: \\srv\share ⟦⟧ /user:DOM\bob
    net use \\srv\share /user:DOM\bob ⟦⟧
    cmdkey /add:srv /user:bob /pass:⟦⟧
    cmdkey /generic:srv /user:bob /pass ⟦⟧
    schtasks /create /tn a /tr b /ru bob /rp ⟦⟧
    schtasks /create /tn a /tr b /RU bob /RP "⟦⟧"
    psexec \\srv -u bob -p ⟦⟧ cmd
    wmic /node:srv /user:bob /password:⟦⟧ os get
    sc config svc obj= .\bob password= ⟦⟧
    winrs -r:srv -u:bob -p:⟦⟧ dir
    runas /user:bob /savecred cmd /p:⟦⟧
    xfreerdp /v:srv /u:bob /p:⟦⟧
    rdesktop -u bob -p ⟦⟧ srv
    ~New-LocalUser bob -Password (ConvertTo-SecureString "⟦⟧" -AsPlainText -Force)
    $pw = ConvertTo-SecureString '⟦⟧' -AsPlainText -Force
    dism /foo /AdminPassword:⟦⟧
    security add-generic-password -a bob -s svc -w ⟦⟧
    security unlock-keychain -p ⟦⟧ login.keychain
    ~dscl . -passwd /Users/bob ⟦⟧
    nmcli dev wifi connect home password ⟦⟧
    wpa_passphrase home ⟦⟧
    iwconfig wlan0 key s:⟦⟧
    networksetup -setairportnetwork en0 home ⟦⟧
    ## transfer
    curl -u bob:⟦⟧ https://h
    curl -ubob:⟦⟧ https://h
    curl --user bob:⟦⟧ https://h
    curl --user=bob:⟦⟧ https://h
    curl --user 'bob:⟦⟧' https://h
    ['curl', '-u', 'bob:⟦⟧', 'https://h']
    curl -H "Authorization: Bearer ⟦abcdef123456⟧" https://h
    curl -H 'X-Api-Key: ⟦⟧' https://h
    curl -H "PRIVATE-TOKEN: ⟦⟧" https://h
    curl -d 'user=bob&password=⟦⟧' https://h
    curl -d '{"user":"bob","password":"⟦⟧"}' https://h
    curl -F password=⟦⟧ https://h
    curl -b "sid=⟦abcdef123456⟧" https://h
    ~curl --cookie 'sid=⟦abcdef123456⟧; a=1' https://h
    curl --oauth2-bearer ⟦⟧ https://h
    curl -x http://bob:⟦⟧@proxy:3128 https://h
    curl -E cert.pem:⟦⟧ https://h
    curl --cert cert.pem:⟦⟧ https://h
    curl --pass ⟦⟧ --cert a https://h
    wget --user=bob --password=⟦⟧ https://h
    wget --http-password=⟦⟧ --ftp-password=⟦⟧ https://h
    wget --header="Authorization: Bearer ⟦abcdef123456⟧" https://h
    http -a bob:⟦⟧ GET h
    ~http --auth bob:⟦⟧ GET h
    ~http --auth=bob:⟦⟧ GET h
    http POST h password=⟦⟧ user=bob
    http POST h X-API-Key:⟦⟧
    lftp -u bob,⟦⟧ sftp://h
    lftp -e "open -u bob,⟦⟧ h"
    ncftpput -u bob -p ⟦⟧ h / a
    ftp://bob:⟦⟧@h/a
    sshpass -p ⟦⟧ ssh bob@h
    sshpass -p'⟦⟧' ssh bob@h
    sshpass -p⟦⟧ scp a h:
    SSHPASS=⟦⟧ sshpass -e ssh h
    smbclient //srv/share -U bob%⟦⟧
    smbclient //srv/share -U 'DOM\bob%⟦⟧' -c ls
    smbclient //srv/share ⟦⟧ -U bob
    mount -t cifs //srv/share /mnt -o username=bob,password=⟦⟧,vers=3.0
    mount.cifs //srv/share /mnt -o user=bob,pass=⟦⟧
    //srv/share /mnt cifs username=bob,password=⟦⟧,uid=1000 0 0
    rsync --password-file=/etc/rs bob@h::m /x && RSYNC_PASSWORD=⟦⟧ rsync bob@h::m /x
    rclone config create r sftp host h user bob pass ⟦⟧
    rclone --sftp-pass ⟦⟧ ls r:
    ~restic -r r --password-command "echo ⟦⟧" backup a
    RESTIC_PASSWORD=⟦⟧ restic backup a
    BORG_PASSPHRASE='⟦⟧' borg create a
    ~s3cmd --access_key=a --secret_key=⟦⟧ ls
    mc alias set s3 https://h AKIDEXAMPLE ⟦⟧
    mc config host add s3 https://h AKIDEXAMPLE ⟦⟧
    duplicity --encrypt-key a; PASSPHRASE=⟦⟧ duplicity a b
    7z a -p⟦⟧ a.7z b
    7z x -p"⟦⟧" a.7z
    zip -P ⟦⟧ a.zip b
    unzip -P ⟦⟧ a.zip
    rar a -hp⟦⟧ a.rar b
    unrar x -p⟦⟧ a.rar
    qpdf --decrypt --password=⟦⟧ a b
    qpdf --encrypt ⟦⟧ ⟦⟧ 256 -- a b
    pdftotext -upw ⟦⟧ a.pdf
    pdftk a.pdf output b.pdf user_pw ⟦⟧
    ## development
    git clone https://bob:⟦⟧@h/r.git
    git clone https://⟦ghp_abcdefghijklmnopqrstuvwxyz0123456789⟧@github.com/o/r.git
    git -c http.extraHeader="Authorization: Basic ⟦Ym9iOmh1bnRlcjI=⟧" fetch
    git -c http.extraheader="AUTHORIZATION: bearer ⟦abcdef123456⟧" fetch
    git config --global user.password ⟦⟧
    gh secret set API_KEY --body ⟦⟧
    gh secret set API_KEY -b ⟦⟧
    gh auth login --with-token <<< ⟦ghp_abcdefghijklmnopqrstuvwxyz0123456789⟧
    glab auth login --token ⟦⟧
    svn co --username bob --password ⟦⟧ https://h
    hg clone --config auth.x.password=⟦⟧ https://h
    p4 -u bob -P ⟦⟧ sync
    npm config set //registry.npmjs.org/:_authToken ⟦⟧
    npm config set //registry.npmjs.org/:_authToken=⟦⟧
    npm set //h/:_authToken=⟦⟧
    npm login --auth-type=legacy --_auth=⟦Ym9iOmh1bnRlcjI=⟧
    yarn config set npmAuthToken ⟦⟧
    pip install --index-url https://bob:⟦⟧@h/simple a
    pip install --extra-index-url https://__token__:⟦⟧@h/simple a
    twine upload -u bob -p ⟦⟧ dist/*
    twine upload --username __token__ --password ⟦⟧ dist/*
    poetry config http-basic.foo bob ⟦⟧
    poetry config pypi-token.pypi ⟦⟧
    poetry publish --username bob --password ⟦⟧
    uv publish --token ⟦⟧
    cargo login ⟦⟧
    cargo publish --token ⟦⟧
    gem push -k ⟦⟧ a.gem
    mvn deploy -Dpassword=⟦⟧ -Dgpg.passphrase=⟦⟧
    gradle publish -PsigningPassword=⟦⟧ -PossrhPassword=⟦⟧
    nuget push a.nupkg -ApiKey ⟦⟧ -Source s
    dotnet nuget push a.nupkg --api-key ⟦⟧
    dotnet nuget push a.nupkg -k ⟦⟧ -s s
    dotnet user-secrets set "Db:Password" "⟦⟧"
    composer config http-basic.h bob ⟦⟧
    composer config github-oauth.github.com ⟦abcdef0123456789abcdef0123456789abcdef01⟧
    bundle config gems.h bob:⟦⟧
    sonar-scanner -Dsonar.login=⟦abcdef0123456789abcdef0123456789abcdef01⟧
    sonar-scanner -Dsonar.token=⟦⟧
    snyk auth ⟦12345678-aaaa-4bbb-8ccc-1234567890ab⟧
    sentry-cli --auth-token ⟦⟧ releases new a
    codecov -t ⟦12345678-aaaa-4bbb-8ccc-1234567890ab⟧
    ~jenkins-cli.jar -auth bob:⟦⟧ list-jobs
    ~java -jar jenkins-cli.jar -s https://h -auth bob:⟦⟧ list-jobs
    gitlab-runner register --registration-token ⟦⟧ --url u
    ./config.sh --url u --token ⟦AABBCCDDEEFF00112233445566778⟧
    buildkite-agent start --token ⟦⟧
    argocd login h --username admin --password ⟦⟧
    argocd app list --auth-token ⟦⟧
    ngrok config add-authtoken ⟦⟧
    ngrok authtoken ⟦⟧
    cloudflared tunnel run --token ⟦⟧
    tailscale up --authkey ⟦⟧
    tailscale up --auth-key=⟦⟧
    wg set wg0 private-key <(echo ⟦yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=⟧)
    openvpn --auth-user-pass <(printf 'bob\n⟦⟧')
    vncserver -passwd ⟦⟧
    x11vnc -passwd ⟦⟧ -display :0
    snmpwalk -v2c -c ⟦⟧ h
    snmpget -v3 -u bob -A ⟦⟧ -X ⟦⟧ h
    ldapsearch -x -D cn=admin -w ⟦⟧ -b dc=example
    ldappasswd -s ⟦⟧ -x uid=bob
    ldapmodify -D cn=admin -w⟦⟧ -f a.ldif
    kinit bob <<< ⟦⟧
    kadmin -p admin -w ⟦⟧ -q "addprinc -pw ⟦⟧ bob"
    ipmitool -H h -U root -P ⟦⟧ chassis status
    sendemail -xu bob -xp ⟦⟧ -t a@example.com
    swaks --to a@example.com --auth-user bob --auth-password ⟦⟧
    hydra -l bob -p ⟦⟧ ssh://h
    crackmapexec smb h -u bob -p ⟦⟧
    evil-winrm -i h -u bob -p ⟦⟧
    expect "assword:" { send "⟦⟧\r" }
    expect "Password:"; send "⟦⟧\r"
    flyway -user=bob -password=⟦⟧ migrate
    liquibase --username=bob --password=⟦⟧ update
    psql -v password=⟦⟧ -f a.sql
    ~celery -A app flower --basic_auth=bob:⟦⟧
    ~celery -A app flower --basic-auth bob:⟦⟧
    ~prometheus --web.basic-auth=bob:⟦⟧
    jupyter notebook --NotebookApp.token=⟦⟧
    code-server --auth password --hashed-password ⟦⟧
    rails runner "User.create!(email: 'a', password: '⟦⟧')"
    artisan tinker --execute="bcrypt('⟦⟧')"
    wp user create bob a@example.com --user_pass=⟦⟧
    wp config create --dbname=a --dbuser=b --dbpass=⟦⟧
    drush site:install --db-url=mysql://bob:⟦⟧@h/a --account-pass=⟦⟧
    occ maintenance:install --database-pass "⟦⟧" --admin-pass "⟦⟧"
    asadmin --user admin --passwordfile /x create-jvm-options -DdbPass=⟦⟧
    keycloak.sh start --db-password=⟦⟧ --https-key-store-password ⟦⟧
    kcadm.sh config credentials --server s --realm master --user admin --password ⟦⟧
    kcadm.sh set-password -r a --username bob --new-password ⟦⟧
    zabbix_get --psk ⟦0123456789abcdef0123456789abcdef⟧
    telegram-send --token ⟦123456789:AAabcdefghijklmnopqrstuvwxyz0123456⟧
    runner.sh -P:password=⟦⟧
    tool /password:⟦⟧ /user:bob
    tool /Password=⟦⟧
    tool -password ⟦⟧
    tool --db-pass="⟦⟧"
    tool +password ⟦⟧
    Popen(['tool', '--password', '⟦⟧'])
    Popen(['tool', '--password=⟦⟧'])
    exec: ["tool","--secret-key","⟦⟧"]
    [tool --token ⟦⟧ run]
    tool --token="⟦⟧" run
    sudo: bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/mysql -u root -p⟦⟧
    CRON[123]: (root) CMD (/usr/bin/mysqldump -u root -p⟦⟧ shop > /x)
    type=EXECVE msg=audit(1.2:3): argc=4 a0="mysql" a1="-u" a2="root" a3="-p⟦⟧"
    """
)
_HARMLESS = texts(
    r"""
    sudo: bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/apt update
    passwd(pam_unix): password changed for bob
    passwd[1234]: pam_unix(passwd:chauthtok): password changed for bob
    Access denied for user 'bob'@'localhost' (using password: YES)
    Access denied for user 'bob'@'localhost' (using password: NO)
    mysql -u bob -p -h h shop
    docker run -p 8080:80 nginx
    docker ps -a
    docker build -t app:1.2 .
    ssh -p 2222 bob@h
    scp -P 2222 a h:
    mkdir -p /srv/app/data
    cp -pR a b
    tar -xzpf a.tar.gz
    curl -u bob https://h
    curl -X POST -H "Accept: application/json" https://h
    git push -u origin main
    git config --global user.name Bob
    npm config set registry https://registry.example
    aws configure set region eu-west-1
    aws s3 cp a s3://b --acl private
    kubectl config set-context prod --namespace=a
    kubectl get secret db -o yaml
    kubectl create secret generic db --from-file=a.txt
    vault login -method=oidc
    vault kv get secret/db
    helm install a . --set image.tag=1.2.3
    gcloud auth login
    az login --use-device-code
    gh auth status
    cargo login
    net user bob /active:no
    net user bob
    net use Z: \\srv\share
    htpasswd /etc/nginx/.htpasswd bob
    htpasswd -D .htpasswd bob
    openssl rsa -in k.pem -passin env:KEY_PASS -out o.pem
    openssl rsa -in k.pem -passin file:/etc/key.pass
    keytool -list -keystore a.jks -alias b
    ssh-keygen -t ed25519 -N "" -f k
    rabbitmqctl list_users
    rabbitmqctl add_vhost a
    sqlplus / as sysdba
    sqlplus /nolog
    wget -q -P /tmp/dl https://h
    unzip -P
    zip -r a.zip b
    7z a a.7z b
    python -m pip install -U pip
    pytest -p no:cacheprovider tests
    psql -U bob -p 5433 -h h
    cqlsh -u bob h
    rsync -aP a h:b
    tool --password-file /etc/tool.pass
    tool --token-ttl 3600
    tool --auth basic --user bob
    tool --session-timeout 30
    tool --api-key-name main
    tool --no-password
    tool --password-stdin
    chpasswd < users.txt
    echo done | tee log
    useradd -m -s /bin/bash bob
    usermod -aG docker bob
    java -Xmx2g -Dfile.encoding=UTF-8 -jar app.jar
    grep -p pattern file
    etcdctl put /config/region eu
    mc alias list
    poetry config virtualenvs.create false
    snyk auth
    set password policy for bob
    set -euo pipefail
    """
)


@pytest.mark.parametrize("example", _SECRET, ids=lambda example: example[0][0][:60])
def test_the_secrets_of_command_lines_are_masked(example):
    check(example)


@pytest.mark.parametrize("text", _HARMLESS)
def test_command_lines_without_a_secret_are_kept(text):
    assert Redactor().redact_text(text) == text
