"""When a certificate ends: as much of X.509 as says so (RFC 5280, 4.1), for no library in the project reads one.

Owns finding the field. Refuses to judge a certificate, and to read a key.
"""

import base64
import binascii

_VERSION, _UTC_TIME = 0xA0, 0x17


def ends(certificate: str) -> str:
    """The day on which a certificate ends, `2027-11-21`. `certificate`: PEM in base64, as Talos and Kubernetes keep it.

    `unknown` for what is no certificate: an output is no place to fail.
    """
    try:
        lines = base64.b64decode(certificate, validate=True).decode("ascii").splitlines()
        return _day(base64.b64decode("".join(line for line in lines if not line.startswith("-----"))))
    except (binascii.Error, UnicodeDecodeError, IndexError, ValueError):
        return "unknown"


def _day(der: bytes) -> str:
    """Certificate → tbsCertificate → validity, which follows version (maybe), serial, signature and issuer."""
    signed = _elements(_elements(der)[0][1])[0][1]
    fields = [content for tag, content in _elements(signed) if tag != _VERSION]
    tag, moment = _elements(fields[3])[1]
    digits = moment.decode("ascii")
    if tag == _UTC_TIME:  # two digits of a year, 1950 to 2049
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    return f"{int(digits[:4]):04}-{int(digits[4:6]):02}-{int(digits[6:8]):02}"


def _elements(der: bytes) -> list[tuple[int, bytes]]:
    """The elements of a DER text, `(tag, content)` each."""
    found, place = [], 0
    while place < len(der):
        tag, size, place = der[place], der[place + 1], place + 2
        if size & 0x80:
            count = size & 0x7F
            size, place = int.from_bytes(der[place : place + count], "big"), place + count
        found.append((tag, der[place : place + size]))
        place += size
    return found
