"""Programs that look at keys and certificates: ssh-keyscan and openssl.

Owns what they print of a host of the World. It refuses options it was not taught, and to log in (``ssh``).
"""

from __future__ import annotations

import base64

from rehearsal.world.host_tools import Call, Failed, Result, Tool
from rehearsal.world.talos_secrets import expires

_KINDS = {"ed25519": "ssh-ed25519", "rsa": "ssh-rsa", "ecdsa": "ecdsa-sha2-nistp256"}


def _keyscan(call: Call) -> Result:
    """A line of a known_hosts file for each host that has a key of the kind; 1 where none was got (OpenSSH 9).

    Of a host that is off or refuses it says nothing at all, as the real one (``tests/real/test_ssh.py``).
    """
    options, addresses = call.options("", "tT")
    kind = _KINDS.get(options.get("t", "ed25519"))
    if kind is None or not addresses:
        raise Failed("usage: ssh-keyscan [-t type] [-T timeout] host", 1)
    printed, told = "", ""
    for address in addresses:
        host = next((each for each in call.world.hosts.records.values() if each["address"] == address), None)
        if host is None or call.world.hosts.answers(host):
            continue
        if host["host_key"].split()[0] == kind:
            told += f"# {address}:22 SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13\n"
            printed += f"{address} {' '.join(host['host_key'].split()[:2])}\n"
    return Result(printed, told, 0 if printed else 1)


def _openssl(call: Call) -> Result:
    """Whether a certificate ends within so many seconds: 0 is that it does not (openssl-x509(1), ``-checkend``)."""
    words = call.argv[1:]
    if len(words) != 6 or words[:3] != ["x509", "-noout", "-checkend"] or words[4] != "-in":
        raise Failed("openssl: the rack's openssl knows 'x509 -noout -checkend SECONDS -in FILE' only", 1)
    ends = expires(base64.b64encode(call.read(words[5]).encode()).decode())
    soon = ends < call.world.now(float(words[3]))
    return Result(f"Certificate will {'' if soon else 'not '}expire\n", code=1 if soon else 0)


TOOLS: dict[str, Tool] = {"ssh-keyscan": _keyscan, "openssl": _openssl}
