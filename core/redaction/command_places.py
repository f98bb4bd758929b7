"""Secrets on command lines that stand at a place of their own, known by the program: ``htpasswd -b FILE USER S``.

Also what is given to a program's standard input, ``echo S | sudo -S``, and options that are written with a
slash, ``schtasks /rp S``. Options with a name or a letter are read by `command_lines`.
"""

# ruff: noqa: E501, ISC004 - tables of expressions, one form a row
from __future__ import annotations

from logweir.redaction.command_words import ARGUMENT as A
from logweir.redaction.command_words import BLANK as B
from logweir.redaction.command_words import VALUE, mask_places, places, value
from logweir.redaction.scan import Scan

__all__ = ["COMMAND_PROBES", "mask_command_places"]

_ENDS = r"(?=[\"')\]]*+(?:[ \t]*+(?:\Z|[\r\n|;&<>])|[\"')\]]|\\n))"
_OPTIONS = rf"(?:{B}-{{1,2}}[\w-]{{1,32}}+(?:=\S{{1,128}}+)?)*"
_READERS = r"(?:sudo -S|--?password-stdin|--stdin|chpasswd|smbpasswd|--with-token|cryptsetup|kinit|passphrase-fd|-passin stdin|pass(?:word)?-file[= ]-|login --?stdin|su -c|su\b)"
_WINDOWS = (
    *("schtasks", "SCHTASKS", "cmdkey", "signtool", "winrs", "runas", "xfreerdp", "certutil", "mstsc"),
    *("wfreerdp", "psexec", "net use", "dism"),
)

_PLACES = places(
    [
        ("htpasswd", rf"htpasswd{B}-\w*b\w*{_OPTIONS}(?:{B}{A}){{1,2}}?{B}{VALUE}{_ENDS}"),
        ("rabbitmqctl", rf"rabbitmqctl{_OPTIONS}{B}(?:add_user|change_password|authenticate_user){B}{A}{B}{VALUE}"),
        ("vault", rf"vault{B}(?:login|unwrap|token{B}\w{{1,16}}|operator{B}unseal){_OPTIONS}{B}(?![-\w]{{1,64}}=[^\s=]|-){VALUE}{_ENDS}"),
        ("login", rf"(?:cargo|npm|heroku|fly|pulumi){B}login{B}(?!-|https?:){VALUE}{_ENDS}"),
        ("snyk", rf"snyk{B}auth{B}(?!-){VALUE}"),
        ("authtoken", rf"ngrok{B}(?:config{B}add-)?authtoken{B}{VALUE}"),
        ("net", rf"net{B}user{B}{A}{B}(?!/|\*){VALUE}"),
        ("net", rf"net{B}use{B}(?:\w:{B})?\\\\[^\s\"',]{{1,256}}+{B}(?:/user:[^\s\"',]{{1,128}}+{B})?(?!/|\*){VALUE}"),
        ("config", rf"(?:poetry|composer){B}config{_OPTIONS}{B}http-basic\.[^\s\"',]{{1,128}}+{B}{A}{B}{VALUE}"),
        ("config", rf"(?:poetry|composer){B}config{_OPTIONS}{B}[\w-]{{1,32}}-(?:oauth|token)\.[^\s\"',]{{1,128}}+{B}{VALUE}"),
        ("bundle", rf"bundle{B}config{_OPTIONS}{B}(?:set{_OPTIONS}{B})?{A}{B}[^\s\"',:]{{1,64}}+:{VALUE}"),
        ("mc", rf"mc{B}(?:alias|config{B}host){B}(?:set|add){B}{A}{B}{A}{B}{A}{B}{VALUE}"),
        ("using", rf"connect{B}to{B}{A}{B}user{B}{A}{B}using{B}{VALUE}"),
        ("isql", rf"isql{_OPTIONS}{B}{A}{B}{A}{B}(?!-){VALUE}"),
        ("wpa_passphrase", rf"wpa_passphrase{B}(?:\"[^\"]{{1,64}}\"|{A}){B}{VALUE}"),
        ("setairport", rf"-setairportnetwork{B}{A}{B}(?:\"[^\"]{{1,64}}\"|{A}){B}{VALUE}"),
        ("iwconfig", rf"iwconfig{B}[^\n|;]{{1,200}}?key{B}(?:s:)?(?!off|on\b){VALUE}"),
        ("dscl", rf"-passwd{B}{A}{B}{VALUE}"),
        ("-u", rf"(?:lftp|open)\b[^\n|;]{{0,200}}?-u{B}[^\s,\"']{{1,64}}+,{VALUE}"),
        ("smbclient", rf"smbclient{B}//[^\s\"',]{{1,256}}+{B}(?!-){VALUE}"),
        ("--encrypt", rf"qpdf\b[^\n|;]{{0,200}}?--encrypt{B}{value(1)}{B}{value(2)}{B}\d"),
        ("cert", rf"(?:-E|--cert|--proxy-cert)(?:{B}|=)[^\s:\"']{{1,256}}+(?<=\.pem|\.p12|\.pfx|\.crt|\.cer):{VALUE}"),
        ("-E", rf"(?:-E|--cert|--proxy-cert)(?:{B}|=)[^\s:\"']{{1,256}}+(?<=\.pem|\.p12|\.pfx|\.crt|\.cer):{VALUE}"),
        ("--from-literal", rf"--from-literal(?:{B}|=)[\"']?[\w.-]{{1,128}}+={VALUE}"),
        ("--from-literal", rf"--from-literal(?:{B}|=)[\w.-]{{1,128}}+='{{2,3}}(?P<b1>[^\s]{{1,512}}+)"),
        ("SecureString", rf"put-parameter\b[^\n|;]{{0,400}}?--value(?:{B}|=){VALUE}"),
        ("PLAIN", r"swaks\b[^\n|;]{0,400}?-ap?[ ]+(?P<b1>\S{1,256}+)"),
        # what a program reads
        ("|", r"(?:echo|printf)(?: -\w{1,4})*+ (?:[\"'])?[\w.@-]{1,64}+:(?P<b1>[^\s|\"'\\]{1,256}+)[\"']?(?:\\n)?[\"']? *\| *(?:sudo )?chpasswd"),
        ("|", rf"(?:echo|printf)(?: -\w{{1,4}})*+ {VALUE} *\| *(?:[\w./=-]{{1,64}} ){{0,8}}?{_READERS}"),
        ("|", rf"printf [\"'](?P<b1>[^\s\"'\\]{{1,256}}+)(?:\\n(?P<b2>[^\s\"'\\]{{1,256}}+))?(?:\\n)?[\"'] *\| *(?:sudo )?(?:smbpasswd|passwd|{_READERS})"),
        ("<<<", rf"(?:kinit|passwd|{_READERS})[^\n|;<]{{0,200}}<<< ?{VALUE}"),
        ("<(", r"(?i:key|pass|secret|token)[\w-]{0,32} <\((?:echo|printf)(?: -n)? [\"']?(?:[\w.@-]{1,64}\\n)?(?P<b1>[^\s\"')]{1,256}+)"),
        ("send", r"(?i:assword|assphrase|PIN):?[^\n]{0,40}?[\"'][\s;{]{1,8}send(?: --)? \"(?P<b1>[^\"\\]{1,256}+)"),
    ]
)  # fmt: skip
#: What a slash, or a dash in its place, stands before.
_SLASHED = places(
    [
        *(
            (
                program,
                rf"{program}{_OPTIONS}{B}(?:userid=|target )?[\w$#]{{1,64}}+/"
                r"(?P<b1>[^\s\"'/@]{1,256}+(?:@(?![\w.-]{1,128}(?:[:/]|\s|\Z))[^\s\"'/@]{1,256}+)*)(?=@|[\s\"']|\Z)",
            )
            for program in ("sqlplus", "impdp", "imp", "expdp", "exp", "sqlldr", "sqlcl", "rman")
        ),
        *(
            (
                program,
                rf"{program}\b[^\n|]{{0,400}}?[ \"'][/-](?i:rp|p|pass|password|adminpassword)(?:[ :=]|{B}){VALUE}",
                r"[/-](?<=[ \"'].)(?i:rp|p|pass|password|adminpassword)[ \t:=\\\"']",
            )
            for program in _WINDOWS
        ),
    ]
)  # fmt: skip

#: A letter that other probes begin with too, and what stands around it in the names of programs.
COMMAND_PROBES = (
    ("g", r"(?<=vault log)in[ '\"]|(?<=cargo log)in[ '\"]"),
    ("p", r"(?<=unwrap)[ '\"]|(?<=wp)a_passphrase|(?<=sqlp)lus|(?<=imp)dp|(?<=exp)dp"),
    ("s", r"(?<=uns)eal[ '\"]|(?<=is)ql "),
    ("n", r"et(?:[ ]|['\"],? ?['\"])user|(?<=sign)tool"),
    ("b", r"(?<=rab)bitmqctl|(?<=\bdb)2 "),
    ("k", r"(?<=snyk) auth|(?<=cmdk)ey"),
    ("h", r"(?<=auth)token|(?<=oauth)\."),
    (r"\\-", r"basic\.|token\."),
    ("|", r" ?(?:sudo |[a-z]{2,12})"),
    ("<", r"<<|\("),
    ("/", r"(?i:rp|p|pass|passw)[ :]"),
)


def mask_command_places(text: str, scan: Scan) -> str:
    """Mask the secrets at places of their own."""
    text = mask_places(text, _PLACES, scan)
    return mask_places(text, _SLASHED, scan) if "/" in text or "-" in text else text
