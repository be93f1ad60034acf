"""How a Pi that came up from the network writes its card: what its seed makes it fetch, and whether that is served.

Owns the walk from a read seed to the card's own system. Refuses to judge what is on the card already: that is the
Pi's own script's, which touches nothing but a blank one.
"""

from foresight.boot_chain import Line, Requested, Walk, lines
from foresight.boot_manifest import Served

ON_THE_CARD = ("user-data", "meta-data", "network-config", "vendor-data", "config.txt", "cmdline.txt")
"""What the script asks for below `SEED_URL`, each of which it must get."""
WHO = "ilmarin-stamp"


def writes_its_card(walk: Walk, served: Served, path: str) -> None:
    """Go on from a seed's user-data, served at `path`, until the card boots."""
    told = _told(served, path)
    lacking = [key for key in ("IMAGE_URL", "SEED_URL") if key not in told]
    if lacking:
        walk.trouble(
            "boot-seed-missing",
            f"it came up to write its card, and its seed says no {' and no '.join(lacking)}",
            "name network.netboot.pi_image, or leave stamp out",
        )
        return
    url, line = told["IMAGE_URL"]
    sound = _fetch(walk, served, url, "what its card gets", line)
    folder, line = told["SEED_URL"]
    for name in ON_THE_CARD:
        sound = _fetch(walk, served, f"{folder.rstrip('/')}/{name}", "for its card", line) and sound
    if sound:
        walk.step(WHO, "writes the card if it is blank, reads it back, gives it this system's host key, and reboots")
        walk.step("firmware", "boots the SD card, from then on at every boot; nothing is asked of the network")


def _told(served: Served, path: str) -> dict[str, tuple[str, Line]]:
    """Setting → its value, and the line of the seed that says it."""
    content = served.http.get(path)
    found: dict[str, tuple[str, Line]] = {}
    for line in lines(path.lstrip("/"), content.text if content else ""):
        key, equals, value = line.text.partition("=")
        if equals and key in ("IMAGE_URL", "SEED_URL"):
            found[key] = value, line
    return found


def _fetch(walk: Walk, served: Served, url: str, why: str, line: Line) -> bool:
    server, _, rest = url.partition("://")[2].partition("/")
    path = f"/{rest}"
    found = server == served.address and path in served.http
    said = f"fetches {path}, {why}{'' if found else ': not there'}"
    walk.step(WHO, said, line, Requested("http", server, path, found))
    if not found:
        walk.trouble(
            "boot-missing-file",
            f"its card stays blank: nobody serves {url}",
            f"serve it at http://{served.address}/pi/, beside the seeds",
            line,
        )
    return found
