"""Tokens that show by their form: one made for each form that its issuer documents, and harmless neighbours."""

import random
import re

import pytest

from logweir.redaction.redactor import Redactor

#: What a part of a form is made of: hexadecimal digits, letters and digits, small ones, capitals, and with - and _.
_SIGNS = {
    "h": "0123456789abcdef",
    "a": "aB3dE6gH9jK2mN5pQ8rS1tU4vW7xYz",
    "l": "abc3def6ghi9",
    "U": "AB3CDE6FGH9",
    "w": "aB3-dE6_gH9jK2",
}
_FORMS = [
    "GR1348941<w20>",
    "glft-<w20>",
    "CLOJARS_<h60>",
    "oy2<l43>",
    "sqp_<h40>",
    "squ_<h40>",
    "bkct_<a40>",
    "AKCp8<a68>",
    "cmVmdGtu<a56>",
    "wandb_v1_<a60>",
    "dbtc_<w43>",
    "pnu_<l36>",
    "sgp_<h16>_<h40>",
    "API-<U30>",
    "pat.<w22>.<h24>.<a20>",
    "HRKU-<h8>-<h4>-<h4>-<h4>-<h12>",
    "HRKU-AA<w58>",
    "fo1_<w43>",
    "fm2_<a80>",
    "vercel_blob_rw_<a16>_<a30>",
    "rnd_<a28>",
    "ddp_<a36>",
    "xau_<a42>",
    "v1.0-<h24>-<h146>",
    "IQoJb3JpZ2luX2Vj<a200>",
    "ABSK<a110>",
    "amzn.mws.<h8>-<h4>-<h4>-<h4>-<h12>",
    "amzn1.oa2-cs.v1.<h64>",
    "Atzr|<w80>",
    "AAAA<w7>:APA91b<w134>",
    "<a86>==",
    "<a76>AZDO<a4>",
    "<w53>AzFu<a6>==",
    "<a42>AzSe<a6>",
    "<a42>+ACR<a6>",
    "<a76>+ASt<a4>==",
    "AQVN<w36>",
    "y0_<w58>",
    "t1.<w150>.<w86>",
    "vk1.a.<w190>",
    "tgp_v1_<w43>",
    "sk_<h48>",
    "tvly-<a32>",
    "pcsk_<a5>_<a64>",
    "csk-<l48>",
    "fw_<a24>",
    "pa-<w43>",
    "fc-<h32>",
    "e2b_<h40>",
    "as-<a22>",
    "access_token$production$<l16>$<h32>",
    "access-production-<h8>-<h4>-<h4>-<h4>-<h12>",
    "rzp_live_<a14>",
    "live_<a30>",
    "FLWSECK-<h32>-X",
    "duffel_live_<w43>",
    "EZAK<a54>",
    "prtapi_<h32>",
    "<h36>NRAL",
    "hcaik_01<l58>",
    "xaat-<h8>-<h4>-<h4>-<h4>-<h12>",
    "<h32>-us14",
    "xkeysib-<h64>-<a16>",
    "re_<a8>_<a24>",
    "figo_<w40>",
    "0/<h32>",
    "pk_12345678_<U32>",
    "ATTA<h72>",
    "pat-na1-<h8>-<h4>-<h4>-<h4>-<h12>",
    "00D<a12>!AQ<a90>",
    "sl.<w140>",
    "syt_<a8>_<a20>_<a6>",
    "00<w40>",
    "LS0tLS1CRUdJTiBQUklWQVRF<a80>",
    "LS0tLS1CRUdJTiBSU0EgUFJJVk<a80>",
    "b3BlbnNzaC1rZXktdjE<a60>",
    "xprv<m90>",
    "gAAAAAB<w93>==",
    "CfDJ8<w100>",
    "v4.local.<w120>",
    ".eJx<w60>:1rXabc:<w43>",
    "s%3A<w32>.<a43>",
    "<a60>==--<h40>",
    "pbkdf2_sha256$600000$<a22>$<a43>=",
    "scrypt:32768:8:1$<a16>$<h128>",
    "*<X40>",
    "md5<h32>",
    "SCRAM-SHA-256$4096:<a22>==$<a43>=:<a43>=",
]
_SIGNS |= {"m": "aB3dE6gH9jK2mN5pQ8rS", "X": "0123456789ABCDEF"}
_HARMLESS = """
    de9f2c7fd25e1b3afad3e85a0bd17d9b100db4b3|550e8400-e29b-41d4-a716-446655440000|req-550e8400-e29b-41d4-a716-446655440000|sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    sha512-n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=|application/vnd.api+json; version=1.0|logweir-1.2.3-py3-none-any.whl|api-6d4cf56db6-x2x9z
    live_session_of_the_training_of_monday|at_least_one_of_the_following_fields|re_indexing_of_all_documents_of_shop|test_login_of_a_user_without_password_fails
    LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUM=|ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGVhc3k|SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDrbPg4zSfn7HpVJpU
    s3.eu-west-1.amazonaws.com|v1.28.3-eks-4f4795d|kube-system.svc.cluster.local|com.example.orders.PaymentServiceImplementation|1.2.3-rc.4+build.20260101.abcdef0
    /srv/app/releases/20260101120000/config/database.yml|fw_update_of_device_is_done|pa-system-check-of-the-building
"""


def _made(form):
    chosen = random.Random(form)
    return re.sub(
        r"<(\w)(\d+)>",
        lambda part: "".join(chosen.choice(_SIGNS[part[1]]) for _ in range(int(part[2]))),
        form,
    )


@pytest.mark.parametrize("form", _FORMS)
def test_a_token_of_a_known_form_is_masked_wherever_it_stands(form):
    token, redactor = _made(form), Redactor()

    for text in (f"call of h failed with {token} again", f"'{token}'", f'{{"x": "{token}"}}', token):
        assert redactor.redact_text(text) == text.replace(token, "***")


@pytest.mark.parametrize(
    "text", [one.strip() for line in _HARMLESS.splitlines() for one in line.split("|") if one.strip()]
)
def test_what_only_resembles_a_token_is_kept(text):
    assert Redactor().redact_text(text) == text
