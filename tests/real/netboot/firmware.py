"""What firmware says on the wire: DHCP discovers with their option sets, the proxy's port 4011, TFTP.

Runs by itself inside a namespace, with the standard library alone: JSON in, JSON out. Owns the packets (RFC 2131, the
PXE specification 2.1, RFC 1350). Refuses to judge the answers: the tests do.
"""

import json
import os
import socket
import struct
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

COOKIE = b"\x63\x82\x53\x63"
HEADER = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")
BROADCAST = "255.255.255.255"
# What PXE firmware asks to be told: mask, router, name, boot size, root, vendor, server, TFTP name, file, 128-135, …
WANTED = bytes([1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 43, 54, 60, 66, 67, 97, 128, 129, 130, 131, 132, 133, 134, 135])
TIME = bytes([42])
"""What a machine that runs already asks besides: its clock."""


@dataclass(frozen=True)
class Firmware:
    """A machine before it has an operating system."""

    mac: str
    arch: int
    """Option 93."""
    vendor: str
    """Option 60; empty: an ordinary DHCP client, which says nothing about booting."""
    identity: str
    """Option 97 without its type byte, 16 bytes in hex."""
    user: str = ""
    """Option 77; empty: not sent."""


def plain(mac: str) -> Firmware:
    """A machine that runs already, or a telephone."""
    return Firmware(mac, 0, "", "")


def _identity(mac: str) -> str:
    return "00112233445566778899" + mac.replace(":", "")


def pi(mac: str, serial: str, generation: int) -> Firmware:
    """A Raspberry Pi's EEPROM: says architecture 0 whatever it is, and its name in option 97."""
    revision = {4: 0xC03115, 5: 0xD04171}[generation]
    tail = bytes.fromhex(mac.replace(":", ""))[-4:] + bytes.fromhex(serial[-8:])[::-1]
    identity = f"RPi{generation}".encode() + revision.to_bytes(4, "little") + tail
    return Firmware(mac, 0, "PXEClient:Arch:00000:UNDI:002001", identity.hex())


def bios(mac: str) -> Firmware:
    """The PXE ROM of a BIOS machine."""
    return Firmware(mac, 0, "PXEClient:Arch:00000:UNDI:002001", _identity(mac))


def uefi(mac: str, arch: int) -> Firmware:
    """UEFI: 7 or 9 on x86-64, 11 on arm64 by PXE; 16 on x86-64, 19 on arm64 by HTTP."""
    vendor = "HTTPClient" if arch in (16, 19) else "PXEClient"
    return Firmware(mac, arch, f"{vendor}:Arch:{arch:05}:UNDI:003000", _identity(mac))


def ipxe(mac: str, arch: int) -> Firmware:
    """iPXE itself, once the firmware has loaded it."""
    return Firmware(mac, arch, f"PXEClient:Arch:{arch:05}:UNDI:003010", _identity(mac), "iPXE")


# --- Inside the namespace ---


def _options(packet: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(packet) and packet[at] != 255:
        if packet[at] == 0:
            at += 1
            continue
        code, length = packet[at], packet[at + 1]
        found[code] = found.get(code, b"") + packet[at + 2 : at + 2 + length]
        at += 2 + length
    return found


def _packet(who: Firmware, kind: int, transaction: int, address: str, more: dict[int, bytes]) -> bytes:
    flags = 0 if address != "0.0.0.0" else 0x8000
    zero = bytes(4)
    header = HEADER.pack(
        1, 1, 6, 0, transaction, 0, flags, socket.inet_aton(address), zero, zero, zero,
        bytes.fromhex(who.mac.replace(":", "")), b"", b"",
    )  # fmt: skip
    boots = {
        60: who.vendor.encode(),
        93: struct.pack("!H", who.arch),
        94: bytes([1, 3, 0]),
        97: b"\x00" + bytes.fromhex(who.identity),
    }
    user = {77: who.user.encode()} if who.user else {}
    asked = {53: bytes([kind]), 55: WANTED + (b"" if who.vendor else TIME), 57: struct.pack("!H", 1472)}
    options = {**asked, **(boots if who.vendor else {}), **user, **more}
    body = b"".join(bytes([code, len(value)]) + value for code, value in sorted(options.items()))
    return header + COOKIE + body + b"\xff"


def _answer(packet: bytes) -> dict[str, Any] | None:
    if len(packet) < HEADER.size + 4 or packet[0] != 2:
        return None
    fields = HEADER.unpack_from(packet)
    options = _options(packet[HEADER.size + 4 :])
    return {
        "transaction": fields[4],
        "kind": {2: "OFFER", 5: "ACK", 6: "NAK"}.get(options.get(53, b"\0")[0], "?"),
        "address": socket.inet_ntoa(fields[8]),
        "next_server": socket.inet_ntoa(fields[9]),
        "server_name": fields[12].rstrip(b"\0").decode("latin-1"),
        "file": fields[13].partition(b"\0")[0].decode("latin-1"),
        "server": socket.inet_ntoa(options[54]) if 54 in options else "",
        "options": {str(code): value.hex() for code, value in options.items()},
        "boot_options": {str(code): value.decode("latin-1") for code, value in _options(options.get(43, b"")).items()},
    }


def _talk(message: bytes, to: str, port: int, enough: int, seconds: float) -> list[dict[str, Any]]:
    transaction = struct.unpack_from("!I", message, 4)[0]
    answers: list[dict[str, Any]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        wire.bind(("0.0.0.0", 68))
        wire.sendto(message, (to, port))
        deadline = time.monotonic() + seconds
        while len(answers) < enough and (left := deadline - time.monotonic()) > 0:
            wire.settimeout(left)
            try:
                answer = _answer(wire.recv(4096))
            except TimeoutError:
                break
            if answer and answer["transaction"] == transaction:
                answers.append(answer)
    return answers


def _new() -> int:
    return int.from_bytes(os.urandom(4), "big")


def _discover(who: Firmware, enough: int, seconds: float) -> list[dict[str, Any]]:
    return _talk(_packet(who, 1, _new(), "0.0.0.0", {}), BROADCAST, 67, enough, seconds)


def _lease(who: Firmware, offer: dict[str, Any]) -> list[dict[str, Any]]:
    asked = {50: socket.inet_aton(offer["address"]), 54: socket.inet_aton(offer["server"])}
    return _talk(_packet(who, 3, offer["transaction"], "0.0.0.0", asked), BROADCAST, 67, 1, 5)


def _ask_proxy(who: Firmware, server: str, address: str, item: str) -> list[dict[str, Any]]:
    """Port 4011, as a client does that already has its address; `item`: hex of the boot server type it chose."""
    chosen = {43: bytes([71, 4]) + bytes.fromhex(item) + b"\0\0\xff"} if item else {}
    subprocess.run(["ip", "addr", "add", f"{address}/24", "dev", "eth0"], check=True)
    try:
        return _talk(_packet(who, 3, _new(), address, chosen), server, 4011, 1, 3)
    finally:
        subprocess.run(["ip", "addr", "del", f"{address}/24", "dev", "eth0"], check=True)


def _fetch(server: str, name: str) -> dict[str, Any]:
    """A file by TFTP: its size and beginning, or the error the server gave."""
    content, expected = b"", 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.settimeout(5)
        wire.sendto(b"\0\1" + name.encode() + b"\0octet\0", (server, 69))
        while True:
            packet, peer = wire.recvfrom(65536)
            code, number = struct.unpack_from("!HH", packet)
            if code == 5:
                return {"name": name, "size": None, "text": packet[4:-1].decode("latin-1")}
            wire.sendto(struct.pack("!HH", 4, number), peer)
            if number == expected & 0xFFFF:
                content, expected = content + packet[4:], expected + 1
                if len(packet) < 516:
                    return {"name": name, "size": len(content), "text": content[:4096].decode("latin-1")}


def main() -> None:
    """One request from standard input, its answer to standard output."""
    request = json.load(sys.stdin)
    who = Firmware(**request["who"]) if "who" in request else None
    answer: Any
    if request["do"] == "fetch":
        answer = [_fetch(request["server"], name) for name in request["names"]]
    elif who and request["do"] == "discover":
        answer = _discover(who, request["enough"], request["seconds"])
    elif who and request["do"] == "lease":
        answer = _lease(who, request["offer"])
    elif who and request["do"] == "proxy":
        answer = _ask_proxy(who, request["server"], request["address"], request.get("item", ""))
    else:
        raise ValueError(f"no such thing to do: {request}")
    json.dump(answer, sys.stdout)


def request(do: str, who: Firmware | None = None, **more: Any) -> str:
    """The text that `main` reads."""
    return json.dumps({"do": do, **({"who": asdict(who)} if who else {}), **more})


if __name__ == "__main__":
    main()
