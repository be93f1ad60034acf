"""Programs that look at and change a simulated host's files.

Owns cat, cmp, test, install and their kin (GNU coreutils 9, diffutils). It refuses options it was not taught.
"""

from __future__ import annotations

import hashlib

from rehearsal.world.host_tools import Call, Failed, Result, Tool


def _cat(call: Call) -> Result:
    _, paths = call.options()
    return Result("".join(call.read(path) for path in paths or ["-"]))


def _cmp(call: Call) -> Result:
    options, paths = call.options("s", long={"silent": "s", "quiet": "s"})
    if len(paths) != 2:
        raise Failed("cmp: missing operand", 2)
    try:
        same = call.read(paths[0]) == call.read(paths[1])
    except Failed as failed:
        raise Failed("" if "s" in options else failed.message, 2) from failed
    return Result("" if same or "s" in options else f"{paths[0]} {paths[1]} differ\n", code=0 if same else 1)


def _sha256sum(call: Call) -> Result:
    options, paths = call.options("c", long={"check": "c", "status": "s", "quiet": "q"})
    if "c" not in options:
        sums = ((hashlib.sha256(call.read(path).encode("utf-8", "surrogateescape")), path) for path in paths or ["-"])
        return Result("".join(f"{found.hexdigest()}  {path}\n" for found, path in sums))
    failed, lines = 0, []
    for line in call.read((paths or ["-"])[0]).splitlines():
        wanted, _, path = line.partition("  ")
        good = hashlib.sha256(call.read(path.lstrip("*")).encode("utf-8", "surrogateescape")).hexdigest() == wanted
        failed += not good
        lines.append(f"{path}: {'OK' if good else 'FAILED'}\n")
    return Result("" if "s" in options else "".join(lines), code=1 if failed else 0)


def _install(call: Call) -> Result:
    names = {"mode": "m", "owner": "o", "group": "g", "directory": "d", "compare": "C"}
    options, paths = call.options("DdC", "mog", names)
    mode = (options.get("m") or "0755").rjust(4, "0")
    if "d" in options:
        _make_dirs(call, paths)
        return Result()
    if len(paths) != 2:
        raise Failed(f"install: missing destination file operand after '{paths[0] if paths else ''}'")
    source, target = paths
    if call.world.hosts.is_dir(call.host, target):
        target = f"{target.rstrip('/')}/{source.rpartition('/')[2]}"
    _parent(call, target, make="D" in options)
    call.write(target, call.read(source), mode)
    if "o" in options:
        call.host["files"][target]["owner"] = options["o"]
    return Result()


def _parent(call: Call, path: str, *, make: bool = False) -> None:
    folder = path.rpartition("/")[0] or "/"
    if not path.startswith("/"):
        raise Failed(f"{call.tool}: '{path}': the rack's hosts know absolute paths only")
    if path == "/dev/null" or call.world.hosts.is_dir(call.host, folder):
        return
    if not make:
        raise Failed(f"{call.tool}: cannot create regular file '{path}': No such file or directory")
    _make_dirs(call, [folder])


def _make_dirs(call: Call, paths: list[str]) -> None:
    for path in paths:
        folder = path.rstrip("/")
        if call.user != "root" and not folder.startswith(("/tmp/", f"/home/{call.user}")):
            raise Failed(f"{call.tool}: cannot create directory '{folder}': Permission denied")
        if folder not in call.host["dirs"]:
            call.host["dirs"].append(folder)


def _mkdir(call: Call) -> Result:
    options, paths = call.options("p", "m", {"parents": "p", "mode": "m"})
    for path in paths:
        if "p" not in options and call.world.hosts.is_dir(call.host, path):
            raise Failed(f"mkdir: cannot create directory '{path}': File exists")
        if "p" not in options and not call.world.hosts.is_dir(call.host, path.rstrip("/").rpartition("/")[0] or "/"):
            raise Failed(f"mkdir: cannot create directory '{path}': No such file or directory")
    _make_dirs(call, paths)
    return Result()


def _tee(call: Call) -> Result:
    options, paths = call.options("a", long={"append": "a"})
    text = call.read("-")
    for path in paths:
        _parent(call, path)
        before = call.host["files"].get(path, {}).get("content", "") if "a" in options else ""
        call.write(path, before + text)
    return Result(text)


def _copy(call: Call) -> Result:
    _, paths = call.options("pfa")
    if len(paths) != 2:
        raise Failed(f"{call.tool}: missing file operand")
    source, target = paths
    if call.world.hosts.is_dir(call.host, target):
        target = f"{target.rstrip('/')}/{source.rpartition('/')[2]}"
    _parent(call, target)
    call.write(target, call.read(source), call.host["files"].get(source, {}).get("mode"))
    if call.tool == "mv":
        _drop(call, source)
    return Result()


def _drop(call: Call, path: str) -> None:
    if call.user != "root" and call.host["files"][path]["owner"] != call.user:
        raise Failed(f"{call.tool}: cannot remove '{path}': Permission denied")
    del call.host["files"][path]


def _remove(call: Call) -> Result:
    options, paths = call.options("rRf", long={"force": "f", "recursive": "r"})
    for path in paths:
        below = [each for each in call.host["files"] if each == path or each.startswith(f"{path.rstrip('/')}/")]
        if not below and "f" not in options:
            raise Failed(f"rm: cannot remove '{path}': No such file or directory")
        if path not in below and below and not {"r", "R"} & set(options):
            raise Failed(f"rm: cannot remove '{path}': Is a directory")
        for each in below:
            _drop(call, each)
    return Result()


def _chmod(call: Call) -> Result:
    _, words = call.options()
    for path in words[1:]:
        call.read(path)
        if not words[0].isdigit():
            raise Failed(f"chmod: the rack's chmod knows octal modes only, not '{words[0]}'", 2)
        call.host["files"][path]["mode"] = words[0].rjust(4, "0")
    return Result()


def _chown(call: Call) -> Result:
    _, words = call.options()
    if call.user != "root":
        raise Failed(f"chown: changing ownership of '{words[-1]}': Operation not permitted")
    for path in words[1:]:
        call.read(path)
        call.host["files"][path]["owner"] = words[0].partition(":")[0]
    return Result()


def _test(call: Call) -> Result:
    words = call.argv[1:]
    if call.tool == "[":
        if not words or words[-1] != "]":
            raise Failed("[: missing ']'", 2)
        words = words[:-1]
    negated = bool(words) and words[0] == "!"
    return Result(code=int(_holds(call, words[1:] if negated else words) == negated))


def _holds(call: Call, words: list[str]) -> bool:
    files, hosts = call.host["files"], call.world.hosts
    if len(words) <= 1:
        return bool(words and words[0])
    if len(words) == 2:
        operator, value = words
        if words[0] in ("-e", "-f", "-d", "-s", "-r") and not call.may_reach(value):
            return False  # whoever may not look finds nothing
        answers = {
            "-n": bool(value),
            "-z": not value,
            "-e": value in files or hosts.is_dir(call.host, value),
            "-f": value in files,
            "-d": value not in files and hosts.is_dir(call.host, value),
            "-s": bool(files.get(value, {}).get("content")),
            "-r": value in files and (call.user == "root" or bool(int(files[value]["mode"], 8) & 0o004)),
        }
        if operator in answers:
            return answers[operator]
    if len(words) == 3 and words[1] in ("=", "==", "!="):
        return (words[0] == words[2]) == (words[1] != "!=")
    if len(words) == 3 and words[1] in ("-eq", "-ne", "-gt", "-ge", "-lt", "-le"):
        left, right = int(words[0]), int(words[2])
        orders = {"-eq": left == right, "-ne": left != right, "-gt": left > right, "-ge": left >= right}
        return (orders | {"-lt": left < right, "-le": left <= right})[words[1]]
    raise Failed(f"{call.tool}: the rack's test does not know '{' '.join(words)}'", 2)


def _mountpoint(call: Call) -> Result:
    """Disks that are mounted, and folders that were bound (util-linux' mountpoint(1): 32 is no)."""
    options, paths = call.options("q", long={"quiet": "q"})
    mounts = [*call.host.get("mounts", ()), *call.host.get("binds", {}).values()]
    mounted = len(paths) == 1 and paths[0] in mounts
    text = "" if "q" in options else f"{''.join(paths)} is {'' if mounted else 'not '}a mountpoint\n"
    return Result(text, code=0 if mounted else 32)


TOOLS: dict[str, Tool] = {
    "mountpoint": _mountpoint,
    "cat": _cat,
    "cmp": _cmp,
    "sha256sum": _sha256sum,
    "install": _install,
    "mkdir": _mkdir,
    "tee": _tee,
    "cp": _copy,
    "mv": _copy,
    "rm": _remove,
    "chmod": _chmod,
    "chown": _chown,
    "test": _test,
    "[": _test,
}
