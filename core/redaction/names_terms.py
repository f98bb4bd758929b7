"""The terms that make a name secret, in English: how strongly, where in a name, and in which group.

A term is written with blanks between the words that programs write apart (``api key`` is ``apiKey``,
``API-KEY`` and ``apikey``). Of terms within each other the longest decides, so a harmless one keeps what only
looks like a secret: ``next token`` is a cursor.
"""

# ruff: noqa: ISC004 - tables of terms

from __future__ import annotations

from enum import Enum, IntEnum
from typing import NamedTuple

__all__ = ["ENDINGS", "ENGLISH", "HARMLESS", "NAME_GROUPS", "Place", "Rows", "Secrecy", "Term"]


class Secrecy(IntEnum):
    """How secret the value under a name is.

    Attributes:
        HARMLESS: Not at all.
        CREDENTIAL: It may be a secret, or say how things stand with one: ``auth``, ``token``, ``session``.
            What cannot be a secret is kept, and containers are walked.
        SECRET: It is a secret, whatever it is: ``password``, ``cvv``. A container is masked as a whole.
    """

    HARMLESS = 0
    CREDENTIAL = 1
    SECRET = 2


class Place(Enum):
    """Where in a name a term counts.

    Attributes:
        ANYWHERE: Also before other words, unless the last of them describes: ``password_prod``.
        END: As the last of its words, but for those that still hold it: ``authorization_header``.
        ALONE: Only if all the other words still hold it: ``new_pin``.
    """

    ANYWHERE = 1
    END = 2
    ALONE = 3


class Term(NamedTuple):
    """What one term says about the names that spell it."""

    text: str
    secrecy: Secrecy
    place: Place
    group: str


#: Group, secrecy, place, and the terms, with commas between them.
Rows = tuple[tuple[str, Secrecy, Place, str], ...]

#: The groups that have names; the others of ``redact.defaults`` are forms within texts.
NAME_GROUPS = frozenset({"credentials", "codes", "cards", "identity", "private_keys"})

_SECRET, _CREDENTIAL = Secrecy.SECRET, Secrecy.CREDENTIAL
_ANYWHERE, _END, _ALONE = Place.ANYWHERE, Place.END, Place.ALONE

ENGLISH: Rows = (
    (
        "credentials",
        _SECRET,
        _ANYWHERE,
        "pass word, password, pass wd, passwd, passwrd, sshpass, passwort, pass phrase, "
        "passphrase, pwd, pswd, store pass, key pass, deststorepass, destkeypass, srcstorepass, srckeypass, "
        "psw, pword, secret, secret key, "
        "secret access key, psk, pre shared key, wpa key, wep key, wifi key, encryption key, decryption key, "
        "enc key, validation key, nonce salt, auth salt, secure auth salt, logged in salt, "
        "nonce key, secure auth key, logged in key, master key, cipher key, aes key, hmac key, signing key, "
        "shared key, shared access key, fernet key, "
        "unseal key, recovery key, cookie, authentication string, code verifier, "
        "pkce verifier, oauth verifier, security answer, secret answer, answer to security question, "
        "mother maiden name, mothers maiden name, nt hash, ntlm hash, lm hash, dockerconfigjson, "
        "dockercfg, docker auth config, htpasswd, pgpass",
    ),
    (
        "credentials",
        _SECRET,
        _END,
        "pass, pw, passw, netrc, "
        # in one word; what else ends so is a compass or a bypass
        "db pass, user pass, my pass, root pass, admin pass, smtp pass, mail pass, "
        "imap pass, ftp pass, login pass, "
        "key pass, store pass, cert pass, ssl pass, auth pass, ldap pass, bind pass, sudo pass, sql pass, "
        "require pass, src store pass, dest store pass, src key pass, dest key pass, default pass, "
        "root pw, bind pw, user pw, db pw, admin pw, my pw, key string, master auth, rpc auth",
    ),
    (
        "credentials",
        _CREDENTIAL,
        _ANYWHERE,
        "token, credential, cred, creds, api key, access key, account key, auth key, session key, "
        "subscription key, storage account key, service account key, service account json, app key, "
        "application key, license key, "
        "licence key, functions key, webhook key, instrumentation key, vapid key, "
        "github pat, gh pat, gitlab pat, devops pat, ado pat, sonar login, dsonar login, registration key, "
        "activation key, jwt key, cookie key, vault secret id, approle secret id, "
        "connect sid, asp net session id, php sessid, phpsessid, jsessionid, sessid, "
        "sessionid, session id, laravel session, client assertion, saml response, saml assertion, "
        "connection string, conn string, conn str, connection uri, connection url, database url, "
        "database uri, database dsn, db url, db uri, jdbc url, redis url, mongo url, mongo uri, "
        "mongodb url, mongodb uri, broker url, amqp url, postgres url, mysql url, sqlalchemy url, "
        "sqlalchemy database uri, cleardb url, cloudamqp url, result backend url, celery broker url, "
        "webhook url, webhook uri, hook url, "
        "signed url, presigned url, pre signed url, sas url, sas uri, magic link, magic url, login link, "
        "reset link, reset url, password reset link, password reset url, verification link, "
        "activation link, confirmation link, kube config, "
        "kubeconfig, macaroon, keytab, kerberos ticket",
    ),
    (
        "credentials",
        _CREDENTIAL,
        _END,
        "authorization, authorisation, auth, auths, authn, session, signature, sig, hmac, csrf, xsrf, jwt, "
        "jws, jwe, bearer, dsn, sas, auth header, aiohttp session, symfony, x auth",
    ),
    ("credentials", _CREDENTIAL, _ALONE, "sid, secret id, oauth"),
    (
        "codes",
        _SECRET,
        _ANYWHERE,
        "pass code, passcode, otp, totp, hotp, one time code, one time pass, pin code, pin number, "
        "card pin, user pin, "
        "sim pin, atm pin, login pin, device pin, security pin, account pin, bank pin, unlock pin, "
        "parental pin, customer pin, pin block, puk, puk code, mfa code, tfa code, fa code, "
        "two factor code, second factor code, authenticator code, verification code, verify code, "
        "security code, recovery code, backup code, rescue code, scratch code, sms code, login code, "
        "reset code, access code, unlock code, door code, email code, mail code, magic code, secret code, "
        "authentication code, activation code, confirmation code, device code, user code, pairing code, "
        "invitation code, oob code",
    ),
    ("codes", _SECRET, _ALONE, "pin"),
    (
        "codes",
        _CREDENTIAL,
        _ANYWHERE,
        "auth code, authorization code",
    ),
    (
        "cards",
        _SECRET,
        _ANYWHERE,
        "credit card, debit card, payment card, card number, card num, card no, "
        "card nr, cc number, cc num, ccno, ccn, ccnum, cardholder number, primary account number, cvv, "
        "cvc, cvn, card cvx, card security code, card verification value, card verification code, "
        "card verification number, track data, magstripe, mag stripe, card track",
    ),
    ("cards", _SECRET, _ALONE, "pan, card pan, card csc, card cid"),
    (
        "identity",
        _SECRET,
        _ANYWHERE,
        "ssn, social security, social security number, social security no, social insurance number, "
        "national insurance number, national identity number, national identification number, aadhaar, "
        "aadhar",
    ),
    (
        "private_keys",
        _SECRET,
        _ANYWHERE,
        "private key, private key pem, priv key, secret key material, private pem, private jwk, id "
        "rsa, id dsa, id ecdsa, "
        "id ed 25519, seed phrase, recovery phrase, mnemonic phrase, backup phrase, wallet seed, xprv, "
        "wallet key, mnemonic",
    ),
    (
        "private_keys",
        _CREDENTIAL,
        _ANYWHERE,
        "ssh key, tls key, ssl key, gpg key, pgp key, rsa key, ecdsa key, dsa key, ec key, "
        "ed25519 key, deploy key, server key, client key, certificate key, cert key, ca key, "
        "key material, key pem, pem key, pfx, pkcs 12",
    ),
)

#: What a secret's word is the last part of, and what keeps it from being one.
HARMLESS = (
    # of a digest, which says what made it
    "hmac sha, "
    # cursors of lists and feeds
    "next token, next page token, page token, previous page token, prev page token, continuation token, "
    "pagination token, sync token, next sync token, starting token, resume token, skip token, cursor token, "
    "scroll token, delta token, change token, "
    # given by the caller so that a request is done once, or stopped
    "idempotency token, client request token, cancellation token, cancel token, "
    # of language models: how many, and which mark something
    "prompt tokens, completion tokens, total tokens, input tokens, output tokens, max tokens, min tokens, "
    "cached tokens, reasoning tokens, thinking tokens, thoughts tokens, audio tokens, image tokens, "
    "text tokens, video tokens, prediction tokens, candidates tokens, num tokens, n tokens, "
    "number of tokens, max new tokens, num new tokens, context tokens, "
    "special tokens, stop tokens, eos token, bos token, pad token, unk token, sep token, cls token, "
    "mask token, stop token, special token, time to first token, per token, "
    "unexpected token, syntax token, "
    # identifiers and modes that vendors document
    "hashed token, http tokens, image pull secrets, image pull secret, external session id, "
    "root session id, parent session id, chat session id, public key, access key id, "
    # checks that passed, and things that are passed
    "spf pass, dkim pass, dmarc pass, arc pass, tests pass, checks pass, first pass, "
    "second pass, third pass, last pass, next pass, multi pass, single pass, one pass, two pass, by pass, "
    "boarding pass, season pass, day pass, travel pass, bus pass, low pass, high pass, band pass, all pass, "
    "did pass, does pass, must pass, num pass, n pass, total pass, render pass, compiler pass, "
    "optimization pass, forward pass, backward pass, lint pass, validation pass, hall pass, ski pass, "
    # other kinds of the same word
    "author signature, function signature, method signature, type signature, key signature, "
    "time signature, training session, conference session, "
    # a card without what is secret of it
    "masked card number, masked pan, redacted card number, truncated card number, masked password, "
    "redacted password, redacted token, masked token, "
    "password auth, two factor auth, multi factor auth, last auth, pre auth, anonymous auth"
)

#: What one lower-case word may end in, as ``userpassword`` does: the secret, by its own term.
ENDINGS = (
    "password, passwd, passphrase, passwort, kennwort, wachtwoord, losenord, passord, adgangskode, salasana, "
    "contrasena, motdepasse, pwd, passcode, secret, token, apikey, secretkey, privatekey, accesskey, cookie, "
    "sessionid"
)
