"""iPXE's scripts, run as iPXE runs them: what is fetched, what fails, which kernel starts with which arguments.

Owns the subset of iPXE's language that our scripts use (ipxe.org/cmd, ipxe.org/scripting). Refuses a command that it
does not know rather than to pass over it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from foresight.boot_chain import Line, Requested, Stuck, Walk, brief, lines
from foresight.boot_firmware import PLATFORMS, Client
from foresight.boot_manifest import Content, Served

UNKNOWABLE = "uuid serial asset manufacturer product ip netmask gateway dns hostname chip busid"
"""Settings that a machine has and nobody knows beforehand."""

QUIET = "echo sleep show prompt console cpuid imgstat ifopen ifclose ifstat dhcp sync route ntp params param"
"""Commands that succeed and decide nothing here (`params` and `param` say something in a request's body)."""

VALUED = ("--name", "-n", "--timeout", "-t")
"""Options whose value is the next word."""

LEVELS = 8
"""Scripts that may have called one another: nobody needs more."""


@dataclass(frozen=True)
class Kernel:
    """What iPXE starts."""

    content: Content
    line: Line
    arguments: tuple[str, ...]
    initrds: tuple[tuple[Content, Line], ...]


class _Started(Exception):
    """A kernel runs: no script continues."""


class _Left(Exception):
    def __init__(self, well: bool) -> None:
        super().__init__()
        self.well = well


@dataclass
class Ipxe:
    """One machine's iPXE, from its first script on."""

    served: Served
    client: Client
    walk: Walk
    settings: dict[str, str] = field(default_factory=dict)
    kernel: Kernel | None = None
    images: dict[str, tuple[Content, str, Line]] = field(default_factory=dict)
    """What was fetched and has not run, by its name, with its address: the kernel gets all of it as initrds."""
    _calls: list[str] = field(default_factory=list)

    def boot(self, url: str, told_by: Line) -> Kernel | None:
        """Run what DHCP named; the kernel that starts, or None when iPXE leaves for the next boot device.

        Errors: Stuck for a loop, an undefined label, an unknown command or a first script that is not there.
        """
        self.settings |= {"mac": self.client.mac, "next-server": "", "buildarch": self._buildarch()}
        self.settings |= {"platform": PLATFORMS[self.client.loads[0]], "user-class": "iPXE"}
        try:
            self._chain(url, told_by, guarded=False)
        except _Started:
            return self.kernel
        return None

    def _buildarch(self) -> str:
        kind, arch = self.client.loads
        return {"arm64": "arm64", "amd64": "i386" if kind == "bios" else "x86_64"}[arch]

    def _chain(self, url: str, line: Line, *, guarded: bool) -> bool:
        # A script that runs is no image meanwhile
        content, address, _ = self.images.pop(url, None) or (*self._fetch(url, line, guarded=guarded), line)
        if content is None:
            return False
        if content.kind == "loader":
            raise Stuck("boot-loop", f"iPXE is sent to {address}, iPXE again", "send it to a script", line)
        if not content.text.startswith("#!ipxe"):
            what = "does not begin with #!ipxe" if content.kind in ("script", "text") else f"is a {content.kind}"
            raise Stuck("boot-wrong-architecture", f"{address} {what}: iPXE cannot run it", "send it to a script", line)
        if address in self._calls or len(self._calls) >= LEVELS:
            raise Stuck("boot-loop", f"the scripts call {address} again and again", "end the circle", line)
        self._calls.append(address)
        try:
            return _Script(self, address, content.text).run()
        finally:
            self._calls.pop()

    def _fetch(self, url: str, line: Line, *, guarded: bool) -> tuple[Content | None, str]:
        address = self._absolute(self.expand(url))
        protocol, _, rest = address.partition("://")
        server, _, name = rest.partition("/")
        bare = name.partition("?")[0]
        if protocol == "http":
            content = self.served.http.get(f"/{bare}") if server == self.served.address else None
            requested = Requested("http", server, f"/{name}", content is not None)
        elif protocol == "tftp":
            content = self.served.tftp.get(bare)
            requested = Requested("tftp", server, name, content is not None)
        else:
            raise Stuck("boot-unknown-line", f"{address} is neither http nor tftp", "serve it over HTTP", line)
        self.walk.step("iPXE", f"fetches {address}{'' if content else ': not there'}", line, requested)
        if content is None and not guarded:
            self.walk.trouble(
                "boot-missing-file",
                f"{brief(address)} is not served",
                f"serve it at {self.served.address}, or name a file that is there",
                line,
            )
        return content, address

    def _absolute(self, url: str) -> str:
        """A URL as iPXE resolves it, against the script it stands in."""
        if "://" in url:
            return url
        here = self._calls[-1] if self._calls else f"tftp://{self.settings['next-server']}/"
        root = "/".join(here.split("/")[:3])
        return f"{root}{url}" if url.startswith("/") else f"{here.rpartition('/')[0]}/{url}"

    def expand(self, text: str) -> str:
        """Put settings in: `${net0/mac:hexhyp}`. What nobody knows beforehand stands as `<name>`."""
        return re.sub(r"\$\{([^}]*)\}", lambda found: self.setting(found[1]), text)

    def setting(self, name: str) -> str:
        """One setting; empty when it is not set."""
        name, _, form = name.partition(":")
        bare = re.sub(r"^net[0-9X]/", "", name)
        value = self.settings.get(name, self.settings.get(bare, f"<{bare}>" if bare in UNKNOWABLE.split() else ""))
        return value.replace(":", "-") if form == "hexhyp" else value

    # What a script's lines ask for

    def fetch_kernel(self, words: list[str], line: Line) -> bool:
        """`kernel URL ARGUMENTS`."""
        content, _ = self._fetch(words[0], line, guarded=False)
        if content is None:
            return False
        arguments = tuple(self.expand(" ".join(words[1:])).split())
        self.kernel = Kernel(content, line, arguments, self.kernel.initrds if self.kernel else ())
        return True

    def fetch_initrd(self, words: list[str], line: Line) -> bool:
        """`initrd URL`."""
        content, _ = self._fetch(words[0], line, guarded=False)
        if content is None:
            return False
        before = self.kernel or Kernel(Content("text"), line, (), ())
        self.kernel = Kernel(before.content, before.line, before.arguments, (*before.initrds, (content, line)))
        return True

    def fetch_image(self, words: list[str], line: Line, guarded: bool, name: str | None) -> bool:
        """`imgfetch URL`, kept as `name` or its last part: `chain` may run it by that."""
        content, address = self._fetch(words[0], line, guarded=guarded)
        if content is None:
            return False
        self.images[name or address.partition("?")[0].rpartition("/")[2]] = (content, address, line)
        return True

    def chain(self, words: list[str], line: Line, guarded: bool) -> bool:
        """`chain URL`."""
        return self._chain(words[0], line, guarded=guarded)

    def start(self, words: list[str], line: Line, guarded: bool) -> bool:
        """`boot`; nothing comes after it."""
        if words:
            return self._chain(words[0], line, guarded=guarded)
        if self.kernel is None or self.kernel.content.kind == "text":
            self.walk.trouble("boot-missing-file", "`boot` without a kernel", "name one with `kernel` before", line)
            return False
        left = tuple((content, told_by) for content, _, told_by in self.images.values())
        self.kernel = replace(self.kernel, initrds=(*self.kernel.initrds, *left))
        raise _Started

    def set(self, words: list[str]) -> bool:
        """`set NAME VALUE`."""
        self.settings[words[0].partition(":")[0]] = self.expand(" ".join(words[1:]))
        return True

    def isset(self, words: list[str]) -> bool:
        """`isset ${NAME}`."""
        return bool(self.expand(" ".join(words)))

    def iseq(self, words: list[str]) -> bool:
        """`iseq A B`."""
        first, second = [*words, "", ""][:2]
        return self.expand(first) == self.expand(second)

    def free(self) -> bool:
        """`imgfree`."""
        self.kernel = None
        self.images.clear()
        return True


@dataclass
class _Script:
    """One script while it runs."""

    ipxe: Ipxe
    address: str
    text: str

    def run(self) -> bool:
        """Whether it ended well."""
        name = self.address.partition("?")[0].rpartition("/")[2]
        self.told = list(lines(name, self.text))
        at = came = 1
        seen: set[tuple[int, tuple[tuple[str, str], ...], tuple[str, ...], Kernel | None]] = set()
        well = True
        while at < len(self.told):
            state = (at, tuple(sorted(self.ipxe.settings.items())), tuple(self.ipxe.images), self.ipxe.kernel)
            if state in seen:
                line = self.told[came]
                raise Stuck("boot-loop", f"{line.file} goes round from this line for ever", "end the circle", line)
            seen.add(state)
            try:
                jumped, well = self._line(self.told[at])
            except _Left as left:
                self.ipxe.walk.step("iPXE", f"leaves {name}", self.told[at])
                return left.well
            if jumped is None and not well:
                return False
            came, at = at, at + 1 if jumped is None else jumped
        return well

    def _line(self, line: Line) -> tuple[int | None, bool]:
        """(where to go on, or None for the next line; whether the line succeeded)."""
        if line.text.startswith(":"):
            return None, True
        well, jumped = True, None
        parts = re.split(r"\s+(\|\||&&)\s+", line.text)
        for number in range(0, len(parts), 2):
            joined = parts[number - 1] if number else "&&"
            if jumped is None and well == (joined == "&&"):
                guarded = "||" in parts[number + 1 :: 2]
                jumped, well = self._command(parts[number], line, guarded)
        return jumped, well

    def _command(self, text: str, line: Line, guarded: bool) -> tuple[int | None, bool]:
        name, *said = text.split() or [""]
        words, named = _after_options(said)
        if not words and name in ("goto", "kernel", "initrd", "imgfetch", "chain", "set"):
            raise Stuck("boot-unknown-line", f"`{name}` without a word after it", "say what it is for", line)
        if name == "goto":
            return self._label(self.ipxe.expand(words[0]), line), True
        if name == "exit":
            raise _Left(words in ([], ["0"]))
        if name in QUIET.split():
            return None, True
        if name == "imgfetch":
            return None, self.ipxe.fetch_image(words, line, guarded, named)
        verb = VERBS.get(name)
        if verb is None:
            raise Stuck(
                "boot-unknown-line",
                f"nobody here knows what iPXE makes of `{name}`, so nothing is proven of what comes up",
                "teach foresight/boot_ipxe.py the command, or leave it out",
                line,
            )
        return None, verb(self.ipxe, words, line, guarded)

    def _label(self, label: str, line: Line) -> int:
        for number, one in enumerate(self.told):
            if one.text == f":{label}":
                return number
        known = ", ".join(one.text[1:] for one in self.told if one.text.startswith(":")) or "none"
        raise Stuck(
            "boot-undefined-label", f"goto {label}: {line.file} has no such label", f"labels it has: {known}", line
        )


def _after_options(words: list[str]) -> tuple[list[str], str | None]:
    """(words after the options that a command begins with, `--name`'s value); a kernel's arguments may look alike."""
    named = None
    while words and words[0].startswith("-") and words[0] != "-":
        option, inline, value = words[0].partition("=")
        words = words[1:]
        if option in VALUED and not inline:
            value, words = (words or [""])[0], words[1:]
        named = value if option in ("--name", "-n") else named
    return words, named


VERBS: dict[str, Callable[[Ipxe, list[str], Line, bool], bool]] = {
    "kernel": lambda ipxe, words, line, _: ipxe.fetch_kernel(words, line),
    "initrd": lambda ipxe, words, line, _: ipxe.fetch_initrd(words, line),
    "chain": Ipxe.chain,
    "boot": Ipxe.start,
    "set": lambda ipxe, words, _line, _: ipxe.set(words),
    "isset": lambda ipxe, words, _line, _: ipxe.isset(words),
    "iseq": lambda ipxe, words, _line, _: ipxe.iseq(words),
    "imgfree": lambda ipxe, _words, _line, _: ipxe.free(),
}
