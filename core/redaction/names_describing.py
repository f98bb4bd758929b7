"""The words that decide whether a name that spells a secret is one: words that describe, hold, or ask."""

from __future__ import annotations

__all__ = ["ASKS", "DESCRIBES", "HOLDS", "QUALIFIES"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: As the last word they say what the value is instead: ``password_length``. Other words in ``-ed`` do so too.
DESCRIBES = _words("""
    accessor accessors address age am alg algo algorithm algorithms amount arn arns at attempt attempts
    audience auth authentication authenticator balance banner bin bits brand bucket budget bytes
    capability category changes chars check checks class claims complexity consent count counter counts
    country criteria date
    day days decimals decision delay description digits dir directory domain domains duration encoding
    encryption endpoint endpoints engine entropy enum err error errors exists expiration expire expires
    expiresat
    expiresin expiry exp factor file filename files fingerprint flag flags flow folder format formats four
    frequency generation grant handler history host hour hours httponly id identifier idle ids in index
    info interval issuer issuers keyid keyname kid kind label labels lang last length lengths level
    lifetime limit limits location lock lockout manager max maxage metadata method methods min minute
    minutes missing mode month months mount ms name names namespace not notice object on operation
    operations option options origin out owner path paths pattern per percent period permission prevention
    permissions plugin policies policy port position prefix present price privileges profile prompt
    properties property protection protocol provider providers quality quota rate ratio realm reason
    reasons ref reference references refs regex region rejections requirement requirements resets
    resource result results reuse
    resources retention retries retry role roles rotation rule rules samesite scan scanner scanning scheme
    schemes scope scopes score sec second seconds secs secure selector separator set setting settings
    since size source spec standard state stats status statuses store strategy strategies strength style
    subject suffix supply support symbol template time timeout times timestamp timezone title to today
    ttl type
    types unit until update updates uri uris url urls usage utc uuid valid invalid validation validator
    validity verification version versions view violation violations visibility warning window years zone
    anzahl typ datum dauer lange laenge ablauf ablaufdatum geandert geaendert longueur fecha longitud tipo
    caducidad vencimiento tamanho validade lunghezza scadenza lengte geldigheid dlugosc waznosci длина тип
    дата срок uzunlugu turu tarihi langd utgang
    """)

#: Behind a term they leave it what it is: ``authorization_header``, ``password_hash``.
HOLDS = _words("""
    again base body bcrypt cached cipher ciphertext clear cleartext confirm confirmation content contents
    copy crypt crypted current data decoded decrypted digest embedded enc encoded encrypted entered
    exposed generated given hash hashed hashes header headers hex input json leaked md new obfuscated old
    original plain plaintext prev previous provided raw received repeat repeated retype salt salted saved
    sent sha shared stored str string submitted supplied temp text typed used val value values verify
    """)

#: Before a term that counts alone they leave it what it is: ``new_pin``, ``http_auth``.
QUALIFIES = HOLDS | _words("""
    actual client db default http https login main my my our prod production proxy retype server temporary
    test the tmp user x your neue neuer nueva nuevo nova nouveau nuova
    """)

#: Before a term they ask about the secret, and the answer is no secret.
ASKS = _words("""
    has have had is are was were needs need requires require allow allows can should must may supports
    limit remaining ratelimit support show hide skip without missing disable enable forgot no not num
    count max min force enforce
    """)
