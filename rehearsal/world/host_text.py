"""Small programs of a simulated host that only say something, or turn text into text.

Owns hostname, id, grep and their kin. It refuses options it was not taught.
"""

from __future__ import annotations

import re

from rehearsal.world.host_tools import Call, Failed, Result, Tool, run, tools


def _hostname(call: Call) -> Result:
    options, _ = call.options("fsI")
    return Result(f"{call.host['address']} \n" if "I" in options else f"{call.host['name']}\n")


def _id(call: Call) -> Result:
    options, _ = call.options("un")
    number = 0 if call.user == "root" else 1000
    if "u" in options:
        return Result(f"{call.user if 'n' in options else number}\n")
    return Result(f"uid={number}({call.user}) gid={number}({call.user}) groups={number}({call.user})\n")


def _uname(call: Call) -> Result:
    options, _ = call.options("snrma")
    parts = {"s": "Linux", "n": call.host["name"], "r": "6.8.0-1013-raspi", "m": "aarch64"}
    wanted = (
        parts if "a" in options else {letter: parts[letter] for letter in parts if letter in (options or {"s": ""})}
    )
    return Result(" ".join(wanted.values()) + "\n")


def _grep(call: Call) -> Result:
    names = {"quiet": "q", "fixed-strings": "F", "extended-regexp": "E", "invert-match": "v", "line-regexp": "x"}
    options, words = call.options("qFEvxico", "ef", names)
    given = call.read(options["f"]).strip() if "f" in options else options.get("e")
    pattern = given or (words.pop(0) if words else "")
    pattern = re.escape(pattern) if "F" in options else pattern
    pattern = rf"\A(?:{pattern})\Z" if "x" in options else pattern
    compiled = re.compile(pattern, re.IGNORECASE if "i" in options else 0)
    try:
        lines = [line for path in words or ["-"] for line in call.read(path).splitlines()]
    except Failed as failed:
        raise Failed(failed.message, 2) from failed
    hits = [line for line in lines if bool(compiled.search(line)) != ("v" in options)]
    said = [str(len(hits))] if "c" in options else hits
    if "o" in options:
        said = [found[0] for line in hits for found in compiled.finditer(line)]
    return Result("" if "q" in options else "".join(f"{line}\n" for line in said), code=0 if hits else 1)


def _head_or_tail(call: Call) -> Result:
    options, paths = call.options("", "n")
    lines = "".join(call.read(path) for path in paths or ["-"]).splitlines(keepends=True)
    count = int(options.get("n") or 10)
    return Result("".join(lines[:count] if call.tool == "head" else lines[-count:]))


def _wc(call: Call) -> Result:
    options, paths = call.options("lcw")
    text = "".join(call.read(path) for path in paths or ["-"])
    counts = {"l": text.count("\n"), "w": len(text.split()), "c": len(text.encode())}
    return Result(" ".join(str(counts[letter]) for letter in counts if letter in (options or counts)) + "\n")


def _tr(call: Call) -> Result:
    options, words = call.options("d")
    if "d" not in options or len(words) != 1:
        raise Failed("tr: the rack's tr only deletes (tr -d SET)", 2)
    gone = words[0].encode().decode("unicode_escape")
    return Result("".join(letter for letter in call.read("-") if letter not in gone))


def _date(call: Call) -> Result:
    return Result(f"{call.world.now()}\n")


def _nothing(_call: Call) -> Result:
    """``sync`` and the like."""
    return Result()


def _sleep(call: Call) -> Result:
    """Only the World's time passes: what heals by waiting has healed then."""
    call.world.kubernetes.wait(float(call.argv[1]))
    return Result()


def _timeout(call: Call) -> Result:
    words = [word for word in call.argv[1:] if not word.startswith("--")]
    return run(Call(call.world, call.host, call.user, words[1:], call.stdin))


def _which(call: Call) -> Result:
    known = [name for name in call.argv[1:] if name in tools()]
    return Result("".join(f"/usr/bin/{name}\n" for name in known), code=0 if len(known) == len(call.argv) - 1 else 1)


TOOLS: dict[str, Tool] = {
    "hostname": _hostname,
    "id": _id,
    "whoami": lambda call: Result(f"{call.user}\n"),
    "pwd": lambda call: Result("/root\n" if call.user == "root" else f"/home/{call.user}\n"),
    "uname": _uname,
    "grep": _grep,
    "head": _head_or_tail,
    "tail": _head_or_tail,
    "wc": _wc,
    "tr": _tr,
    "date": _date,
    "sleep": _sleep,
    "sync": _nothing,
    "timeout": _timeout,
    "which": _which,
}
