"""What programs say with a secret in it: reprs of many languages, tracebacks, sentences, addresses, tokens."""

import pytest

from logweir.redaction.redactor import Redactor
from support.marked import check, examples, texts

_SECRET = examples(
    r"""
    ## objects of many languages
    User(name='bob', password='⟦⟧', age=3)
    User(name='bob', password=b'⟦⟧')
    Credentials(user='bob', password=SecretValue('⟦⟧'))
    <User name='bob' password='⟦⟧'>
    <User: bob, password: ⟦⟧>
    namespace(user='bob', password='⟦⟧')
    OrderedDict([('user', 'bob'), ('password', '⟦⟧')])
    OrderedDict({'user': 'bob', 'password': '⟦⟧'})
    defaultdict(<class 'dict'>, {'password': '⟦⟧'})
    Config(db=Db(user='bob', password='⟦⟧'), x=1)
    ImmutableMultiDict([('user', 'bob'), ('password', '⟦⟧')])
    ~<QueryDict: {'user': ['bob'], 'password': ['⟦⟧']}>
    MultiDict([('password', '⟦⟧')])
    ~Headers([('host', 'h'), ('authorization', '⟦Basic Ym9iOmh1bnRlcjI=⟧')])
    Headers({'host': 'h', 'x-api-key': '⟦⟧'})
    [(b'host', b'h'), (b'x-api-key', b'⟦⟧')]
    {b'password': b'⟦⟧'}
    environ({'HOME': '/home/bob', 'DB_PASSWORD': '⟦⟧'})
    Namespace(user='bob', password='⟦⟧', verbose=True)
    User(name=bob, password=⟦⟧, age=3)
    User{name=bob, password=⟦⟧, age=3}
    User{name='bob', password='⟦⟧', age=3}
    User [name=bob, password=⟦⟧, age=3]
    LoginRequest(user=bob, password=⟦⟧)
    {name=bob, password=⟦⟧, age=3}
    ~{password=[⟦⟧], user=[bob]}
    com.example.User@1b2c[name=bob,password=⟦⟧]
    User[name=bob, password=⟦⟧]
    Optional[password=⟦⟧]
    &{Name:bob Password:⟦⟧ Age:3}
    {Name:bob Password:⟦⟧ Age:3}
    main.User{Name:"bob", Password:"⟦⟧", Age:3}
    ~&main.User{Name:"bob", Token:(*string)(0xc000), Password:"⟦⟧"}
    map[name:bob password:⟦⟧]
    map[string]string{"name":"bob", "password":"⟦⟧"}
    ~map[password:[⟦⟧] user:[bob]]
    User { name: "bob", password: "⟦⟧", age: 3 }
    ~User { name: "bob", password: Some("⟦⟧") }
    User {␤    name: "bob",␤    password: "⟦⟧",␤}
    Credentials { access_key_id: "AKIDEXAMPLE", secret_access_key: "⟦⟧" }
    Some(Token("⟦abc123def456⟧"))
    Secret("⟦⟧")
    Password("⟦⟧")
    ~{"password": String("⟦⟧"), "x": Number(1)}
    #<User id: 3, name: "bob", password: "⟦⟧">
    #<User:0x000055 @name="bob", @password="⟦⟧">
    #<struct User name="bob", password="⟦⟧">
    {:name=>"bob", :password=>"⟦⟧"}
    {"name"=>"bob", "password"=>"⟦⟧"}
    {name: "bob", password: "⟦⟧"}
    %{name: "bob", password: "⟦⟧"}
    %User{name: "bob", password: "⟦⟧"}
    [name: "bob", password: "⟦⟧"]
    %{"password" => "⟦⟧"}
    #{password => <<"⟦⟧">>}
    [{user,"bob"},{password,"⟦⟧"}]
    [{password, "⟦⟧"}]
    {"password", <<"⟦⟧">>}
    Array␤(␤    [user] => bob␤    [password] => ⟦⟧␤)
    Array ( [user] => bob [password] => ⟦⟧ )
    array (␤  'user' => 'bob',␤  'password' => '⟦⟧',␤)
    array(2) {␤  ["user"]=>␤  string(3) "bob"␤  ["password"]=>␤  string(8) "⟦⟧"␤}
    ["password"]=>␤  string(8) "⟦⟧"
    ["password":protected]=>␤  string(8) "⟦⟧"
    ["password":"User":private]=> string(8) "⟦⟧"
    [password:protected] => ⟦⟧
    object(User)#1 (1) { ["password"]=> string(8) "⟦⟧" }
    a:2:{s:4:"user";s:3:"bob";s:8:"password";s:8:"⟦⟧";}
    User Object␤(␤    [password:User:private] => ⟦⟧␤)
    { name: 'bob', password: '⟦⟧', age: 3 }
    { name: 'bob', password: `⟦⟧` }
    Map(2) { 'name' => 'bob', 'password' => '⟦⟧' }
    [ 'password', '⟦⟧' ]
    Error: login failed { user: 'bob', password: '⟦⟧' }
    User(name: bob, password: ⟦⟧)
    User { Name = bob, Password = ⟦⟧ }
    { Name = bob, Password = ⟦⟧ }
    User(name: "bob", password: "⟦⟧")
    ["name": "bob", "password": "⟦⟧"]
    AnyHashable("password"): "⟦⟧"
    @{Name=bob; Password=⟦⟧}
    Name     : bob␤Password : ⟦⟧␤Age      : 3
    Name Password␤---- --------␤bob  ⟦⟧
    $VAR1 = {␤  'password' => '⟦⟧',␤  'user' => 'bob'␤};
    Map(name -> bob, password -> ⟦⟧)
    (:name "bob" :password "⟦⟧")
    {:name "bob", :password "⟦⟧"}
    {:name "bob" :password "⟦⟧" :age 3}
    (user . "bob") (password . "⟦⟧")
    ((password . "⟦⟧"))
    list(password = "⟦⟧", user = "bob")
    fromList [("user","bob"),("password","⟦⟧")]
    User {userName = "bob", userPassword = "⟦⟧"}
    ## tracebacks and code
    ~password = '⟦⟧'␤user = 'bob'
        password = '⟦⟧'
      File "a.py", line 3, in f␤    connect(user='bob', password='⟦⟧')␤ValueError: no
    │ password = '⟦⟧'                    │
    ╭─ locals ─╮␤│ password = '⟦⟧' │␤│ user = 'bob' │␤╰──────────╯
    > password = "⟦⟧"
    user.setPassword("⟦⟧")
    user.set_password('⟦⟧')
    check_password('⟦⟧', hashed)
    bcrypt.hashpw(b'⟦⟧', salt)
    client.login('bob', '⟦⟧')
    server.login("bob", "⟦⟧")
    smtp.login('bob@example.com', '⟦⟧')
    HTTPBasicAuth('bob', '⟦⟧')
    BasicAuth('bob', '⟦⟧')
    new NetworkCredential("bob", "⟦⟧")
    DriverManager.getConnection("jdbc:mysql://h/a", "bob", "⟦⟧")
    new UsernamePasswordCredentials("bob", "⟦⟧")
    mysql_connect('h', 'bob', '⟦⟧')
    new mysqli("h", "bob", "⟦⟧", "shop")
    mysqli_connect('h','bob','⟦⟧','shop')
    new PDO('mysql:host=h;dbname=a', 'bob', '⟦⟧')
    PDO->__construct('mysql:host=h;db...', 'bob', '⟦⟧')
    #0 /srv/db.php(7): PDO->__construct('mysql:host=h', 'bob', '⟦⟧')
    #1 /srv/a.php(9): login('bob', '⟦⟧')
    ~#2 /srv/a.php(9): Auth->attempt('bob', '⟦⟧')
    #3 /srv/a.php(9): password_verify('⟦⟧', '⟦$2y$10$abcdefghijklmnopqrstuv⟧')
    #4 /srv/a.php(9): password_hash('⟦⟧', '2y')
    #5 /srv/a.php(9): ldap_bind(Resource id #3, 'cn=bob', '⟦⟧')
    connect(host, "bob", password := "⟦⟧")
    self.password: str = '⟦⟧'
    const password: string = "⟦⟧";
    let apiKey = "⟦⟧";
    String password = "⟦⟧";
    private static final String PASSWORD = "⟦⟧";
    var password string = "⟦⟧"
    char *password = "⟦⟧";
    char password[] = "⟦⟧";
    #define DB_PASSWORD "⟦⟧"
    @Value("${db.password:⟦⟧}")
    os.environ.get('DB_PASSWORD', '⟦⟧')
    os.getenv("DB_PASSWORD", "⟦⟧")
    os.environ['DB_PASSWORD'] = '⟦⟧'
    process.env.DB_PASSWORD || '⟦⟧'
    process.env.DB_PASSWORD = '⟦⟧'
    ENV['DB_PASSWORD'] = '⟦⟧'
    ENV.fetch('DB_PASSWORD', '⟦⟧')
    System.setProperty("db.password", "⟦⟧")
    properties.put("password", "⟦⟧")
    headers.set("X-Api-Key", "⟦⟧")
    request.headers.add("X-Api-Key", "⟦⟧")
    req.setRequestHeader('X-Api-Key', '⟦⟧')
    session['token'] = '⟦abc123def456⟧'
    localStorage.setItem('token', '⟦abc123def456⟧')
    document.cookie = "⟦sid=abcdef123456⟧"
    1 validation error for Login␤password␤  String should have at least 8 characters [type=string_too_short, input_value='⟦⟧', input_type=str]
    {'loc': ('body', 'password'), 'msg': 'too short', 'input': '⟦⟧'}
    [{"type":"string_too_short","loc":["body","password"],"msg":"x","input":"⟦⟧","ctx":{"min_length":8}}]
    Data truncation: Incorrect value '⟦⟧' for column 'password' at row 1
    Data too long for column 'password' at row 1
    ~ERROR:  duplicate key value violates unique constraint "u"␤DETAIL:  Key (api_token)=(⟦abc123def456⟧) already exists.
    duplicate key error collection: a.b index: token_1 dup key: { token: "⟦abc123def456⟧" }
    Invalid value "⟦⟧" for parameter "password"
    invalid value '⟦⟧' for '--password'
    error: invalid password '⟦⟧'
    argument --password: invalid value: '⟦⟧'
    invalid literal for field password: '⟦⟧'
    Cannot deserialize value of type `int` from String "⟦⟧" (through reference chain: User["password"])
    ## sentences
    Temporary password set to: ⟦⟧
    Temporary password: ⟦⟧
    Your password is ⟦sT5Q5-_3v8W83B⟧
    Your new password is: ⟦⟧
    Your new password: ⟦⟧
    Generated password for bob: ⟦sT5Q5-_3v8W83B⟧
    Generated new password for user admin: ⟦sT5Q5-_3v8W83B⟧
    Using generated security password: ⟦12345678-aaaa-4bbb-8ccc-1234567890ab⟧
    Initial admin password: ⟦⟧
    Initial root password is ⟦sT5Q5-_3v8W83B⟧
    Admin password has been set to ⟦sT5Q5-_3v8W83B⟧
    Password changed to ⟦sT5Q5-_3v8W83B⟧
    Password for user bob changed from ⟦sT5Q5-_3v8W83B⟧ to ⟦Zpx9Ac8kaWq⟧
    password changed from "⟦⟧" to "⟦⟧"
    password reset to '⟦⟧'
    the password '⟦⟧' is wrong
    wrong password "⟦⟧" for bob
    tried password ⟦sT5Q5-_3v8W83B⟧
    login attempt [root/⟦⟧] failed
    login attempt [b'root'/b'⟦⟧'] succeeded
    Login attempt with username: root, password: ⟦⟧
    credentials bob:⟦sT5Q5-_3v8W83B⟧ rejected
    using credentials bob:⟦sT5Q5-_3v8W83B⟧
    Logging in as bob:⟦sT5Q5-_3v8W83B⟧
    [22][ssh] host: h   login: bob   password: ⟦⟧
    [Note] [MY-010454] [Server] A temporary password is generated for root@localhost: ⟦Zpx*#!9$Ac^kaW⟧
    Changed password for user elastic␤PASSWORD elastic = ⟦⟧
    PASSWORD elastic = ⟦⟧
    PASSWORD kibana_system = ⟦⟧
    The generated password for the elastic built-in superuser is : ⟦sT5Q5-_3v8W83B⟧
    Password for the elastic user (reset with `bin/elasticsearch-reset-password -u elastic`):␤  ⟦sT5Q5-_3v8W83B⟧
    ℹ️  Password for the elastic user (reset with `x`):␤  ⟦sT5Q5-_3v8W83B⟧
    Password for the [elastic] user successfully reset.␤New value: ⟦sT5Q5-_3v8W83B⟧
    Please use the following password to proceed to installation:␤␤⟦0123456789abcdef0123456789abcdef⟧␤␤This may also be found at x
    Root Token: ⟦⟧
    Unseal Key 1: ⟦c2VjcmV0dW5zZWFsa2V5c2hhcmUwMDE=⟧
    Initial Root Token: ⟦hvs.abcdefghijklmnopqrstuvwx⟧
    Bootstrap token: ⟦⟧
    Your bootstrap token is ⟦abcdef.0123456789abcdef⟧
    AccessorID: x␤SecretID: ⟦12345678-aaaa-4bbb-8ccc-1234567890ab⟧
    Your API key is ⟦abc123def456ghi⟧
    Your API key is: ⟦⟧
    Your access token is ⟦abc123def456ghi⟧
    API token: ⟦abc123def456ghi⟧
    new API key ⟦abc123def456ghi789⟧ created
    Copy this token now: ⟦abc123def456ghi⟧
    client secret is ⟦abc123def456ghi⟧
    Your verification code is ⟦839201⟧
    Your verification code is: ⟦839201⟧
    Your OTP is ⟦839201⟧
    Your one-time password is ⟦839201⟧
    OTP for login is ⟦839201⟧
    Use ⟦839201⟧ as your verification code
    ⟦839201⟧ is your verification code
    ⟦839201⟧ is your Example login code
    Your login code: ⟦839201⟧
    ~G-⟦839201⟧ is your Google verification code
    Enter code ⟦ABCD-EFGH⟧ at https://h/device
    To sign in, use a web browser to open the page https://h/device and enter the code ⟦ABCD12345⟧ to authenticate.
    First copy your one-time code: ⟦ABCD-1234⟧
    recovery codes: ⟦abcd-1234, efgh-5678⟧
    PIN: ⟦8392⟧
    PIN code is ⟦8392⟧
    Seed phrase: ⟦witch collapse practice feed shame open despair creek road again ice least⟧
    mnemonic: ⟦witch collapse practice feed shame open despair creek road again ice least⟧
    To access the server, open http://127.0.0.1:8888/?token=⟦0123456789abcdef0123456789abcdef⟧
    http://127.0.0.1:8888/lab?token=⟦0123456789abcdef0123456789abcdef⟧
    ~Reset your password: https://h/reset/⟦abcdef0123456789abcdef0123456789⟧
    https://h/password/reset/⟦abcdef0123456789abcdef0123456789⟧?email=a
    https://h/users/confirmation?confirmation_token=⟦abcdef0123456789⟧
    https://h/magic?t=1&magic_token=⟦abcdef0123456789⟧
    https://h/invite/⟦abcdef0123456789abcdef0123456789⟧
    https://h/verify-email?token=⟦abcdef0123456789⟧
    ## languages
    login รหัสผ่าน=⟦⟧ n=1
    login รหัสผ่าน: ⟦⟧
    登录 密码=⟦⟧ 用户=bob
    密码：⟦⟧
    口令: ⟦⟧
    パスワード=⟦⟧ n=1
    パスワード：⟦⟧
    비밀번호=⟦⟧ n=1
    비밀번호: ⟦⟧
    пароль=⟦⟧ n=1
    пароль: ⟦⟧
    Пароль: ⟦⟧
    Κωδικός: ⟦⟧
    κωδικός πρόσβασης: ⟦⟧
    סיסמה: ⟦⟧
    كلمة المرور: ⟦⟧
    كلمة السر=⟦⟧
    पासवर्ड: ⟦⟧
    पासवर्ड=⟦⟧ n=1
    mật khẩu: ⟦⟧
    mật_khẩu=⟦⟧
    kata sandi: ⟦⟧
    kata_sandi=⟦⟧
    şifre: ⟦⟧
    şifre=⟦⟧
    parola: ⟦⟧
    parola chiave: ⟦⟧
    parola_chiave=⟦⟧
    parolaChiave: ⟦⟧
    parola_d_ordine=⟦⟧
    mot de passe : ⟦⟧
    mot_de_passe=⟦⟧
    motDePasse=⟦⟧
    mdp=⟦⟧
    clé_api=⟦⟧
    contraseña: ⟦⟧
    contraseña=⟦⟧
    clave: ⟦⟧
    senha=⟦⟧
    palavra-passe: ⟦⟧
    wachtwoord: ⟦⟧
    Passwort: ⟦⟧
    Kennwort=⟦⟧
    hasło: ⟦⟧
    haslo=⟦⟧
    heslo=⟦⟧
    jelszó: ⟦⟧
    lösenord: ⟦⟧
    adgangskode: ⟦⟧
    salasana: ⟦⟧
    geslo: ⟦⟧
    lozinka: ⟦⟧
    lozinka=⟦⟧
    šifra: ⟦⟧
    slaptažodis: ⟦⟧
    salasõna: ⟦⟧
    parool: ⟦⟧
    пароль_пользователя=⟦⟧
    парола: ⟦⟧
    лозинка: ⟦⟧
    құпия сөз: ⟦⟧
    პაროლი: ⟦⟧
    գաղտնաբառ: ⟦⟧
    رمز عبور: ⟦⟧
    گذرواژه: ⟦⟧
    پاس ورڈ: ⟦⟧
    পাসওয়ার্ড: ⟦⟧
    கடவுச்சொல்: ⟦⟧
    contrasenya: ⟦⟧
    pasahitza: ⟦⟧
    nenosiri: ⟦⟧
    kata laluan: ⟦⟧
    lykilorð: ⟦⟧
    fjalëkalimi: ⟦⟧
    parolă: ⟦⟧
    """,
)
_HARMLESS = texts(
    r"""
    Password for bob: expired
    Failed password for bob from 203.0.113.7 port 4222 ssh2
    Failed password for invalid user admin from 203.0.113.7 port 4222 ssh2
    Accepted password for bob from 203.0.113.7 port 4222 ssh2
    Accepted publickey for bob from 203.0.113.7 port 4222 ssh2: RSA SHA256:abcdef
    password authentication failed for user "bob"
    FATAL:  password authentication failed for user "bob"
    Password authentication failed for user: bob
    password changed for bob
    password changed for user bob by admin
    Password reset requested for bob@example.com
    Password reset email sent to bob@example.com
    Your password will expire in 3 days
    Your password is about to expire
    Your password is too short
    the password is wrong
    Incorrect password for user: bob
    Invalid password attempt 3 of 5
    Too many password attempts: 7
    Password policy: minimum 12 characters
    token expired at 2026-01-02
    Token refresh succeeded for client: web
    Token validation failed: signature mismatch
    token type: Bearer
    session started for bob
    Session 17 opened for user: root
    session opened for user root(uid=0) by (uid=0)
    API key rotated by bob
    API key web-1 was revoked
    secret rotated: version 7
    Secret prod/db was read by bob
    reading secret prod/db/main
    credentials expired for account: 17
    PIN verification failed
    OTP sent to +49 170 0000000
    verification code sent to bob@example.com
    verification code expired
    status code: 401
    exit code is 137
    Error code: 12345
    response code 200 for GET /login
    zip code: 12345
    HTTP code 404
    country code: 49
    processed 839201 rows
    839201 is too large
    login attempt failed for bob
    login attempt [bob] failed
    Logging in as bob
    https://h/reset/form
    https://h/users/12345/orders
    https://h/password/reset
    https://h/docs/reset-password.html
    [ 'bob', 'admin' ]
    User(name='bob', age=3)
    {:name "bob" :age 3}
    [{user,"bob"},{age,3}]
    login('bob')
    client.login()
    def login(user, password):
    getpass.getpass('Password: ')
    assert user.password is None
    raise ValueError('password')
    if password != confirm:
    os.environ.get('DB_PASSWORD')
    os.getenv("DB_PASSWORD", "")
    <input type="password" name="password">
    <label for="password">Password</label>
    Data too long for column 'password' at row 1
    parole granted to 3 prisoners
    """
)


@pytest.mark.parametrize("example", _SECRET, ids=lambda example: example[0][0][:60])
def test_the_secrets_in_reports_are_masked(example):
    check(example)


@pytest.mark.parametrize("text", _HARMLESS)
def test_reports_without_a_secret_are_kept(text):
    assert Redactor().redact_text(text) == text
