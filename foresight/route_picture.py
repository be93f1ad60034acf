"""How requests arrive at a lab, as one picture: who asks, who answers the name, what is passed through, which apps.

Owns the picture's text, SVG with nothing to fetch. Refuses to prove anything: every box and line is out of the proof
(`model.routes`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape

from model.routes.proof import Proof
from model.routes.things import Chain, Gateway, Link, Start, Way

COLOURS: dict[Start, str] = {"outside": "#2563eb", "inside": "#059669"}
"""Of lines and dots, by where a request begins."""
_COLUMNS = ("start", "name", "tunnel", "router", "hop", "gateway", "apps")
_WORDS = {"tunnel": "Cloudflare tunnel", "router": "The router", "hop": "Reverse proxy"}
_LETTER, _LINE, _HEAD, _PAD, _GAP, _BETWEEN = 7.0, 18, 22, 14, 58, 26
_LEGEND = 320


@dataclass
class Box:
    """One box. Its place is decided last."""

    column: str
    title: str
    lines: tuple[str, ...] = ()
    dots: tuple[tuple[Start, ...], ...] = ()
    """For each line, from where what it says is reached; empty for lines that say nothing of it."""
    x: float = 0
    y: float = 0
    """The upper edge."""
    width: float = 0
    """All boxes of a column are as wide as the widest."""

    @property
    def least(self) -> float:
        """Its width in points, as its longest line needs."""
        dotted = 26 if self.dots else 0
        return max(len(self.title) * 8.6, *(len(line) * _LETTER + dotted for line in self.lines), 80) + 2 * _PAD

    @property
    def height(self) -> float:
        """In points."""
        return _HEAD + _LINE * len(self.lines) + 16

    @property
    def middle(self) -> float:
        """Where lines come in and go out."""
        return self.y + self.height / 2


@dataclass
class _Drawing:
    boxes: dict[str, Box] = field(default_factory=dict)
    lines: dict[tuple[str, str, Start], None] = field(default_factory=dict)


def picture(proof: Proof) -> str:
    """The whole picture as SVG."""
    drawing = _drawn(proof)
    lanes = [key for key, box in drawing.boxes.items() if box.column == "gateway"]
    width, height = _placed(drawing, lanes)
    body = [*_legend(height), *_lines(drawing), *(part for box in drawing.boxes.values() for part in _box(box))]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height + 34:.0f}" '
        f'width="{width:.0f}" height="{height + 34:.0f}" font-family="Helvetica, Arial, sans-serif">'
    )
    paper = f'<rect width="{width:.0f}" height="{height + 34:.0f}" rx="12" fill="#ffffff"/>'
    return "\n".join([head, paper, *body, "</svg>", ""])


def _drawn(proof: Proof) -> _Drawing:
    drawing = _Drawing()
    for gateway in sorted(_gateways(proof), key=lambda one: (one.audience != "public", one.cluster, one.name)):
        drawing.boxes[_key(gateway)] = _gateway(proof, gateway)
    for chain in proof.chains:
        for way in chain.ways:
            _followed(drawing, proof, chain, way)
    for gateway in _gateways(proof):
        _idle(drawing, proof, gateway)
        rows = sorted(_apps(proof, gateway))
        if rows:
            key = f"apps {_key(gateway)}"
            wide = max(len(host) for host, _, _ in rows)
            lines = tuple(f"{host.ljust(wide)}  {service}".rstrip() for host, service, _ in rows)
            dots = tuple(starts for _, _, starts in rows)
            drawing.boxes[key] = Box("apps", "Applications", lines, dots)
            drawing.lines |= {(_key(gateway), key, start): None for starts in dots for start in starts}
    return drawing


def _gateways(proof: Proof) -> list[Gateway]:
    return [gateway for part in proof.ground.clusters for gateway in part.gateways]


def _key(gateway: Gateway) -> str:
    return f"gateway {gateway.cluster}/{gateway.name}"


def _gateway(proof: Proof, gateway: Gateway) -> Box:
    """A gateway's box: its address, and what its certificate is, as the first name that comes to it is shown."""
    told = [
        link
        for chain in proof.chains
        for way in chain.ways
        if _reached(proof, way) == gateway
        for link in way.links
        if link.step == "certificate"
    ]
    issuers = dict.fromkeys(_issuer(link) for link in told)
    known = [one for one in issuers if one] if told else ["no app hangs on it"]
    lines = (gateway.address or "", *known)
    return Box("gateway", gateway.name, lines)


def _issuer(link: Link) -> str:
    signed = link.says.partition("signed by ")[2].partition(",")[0]
    return f"TLS: {signed}" if signed else ""


def _reached(proof: Proof, way: Way) -> Gateway | None:
    said = next((link.says for link in way.links if link.step == "gateway"), "")
    return next(
        (one for one in _gateways(proof) if one.address and said.startswith(f"{one.name} at {one.address}")), None
    )


def _followed(drawing: _Drawing, proof: Proof, chain: Chain, way: Way) -> None:
    """A way's boxes and lines; of names without an app only the way in from the internet is worth a line."""
    gateway = _reached(proof, way)
    if gateway is None or (chain.audience is None and way.start == "inside"):
        return
    if chain.audience == "lan" and way.start == "outside":
        return
    before = f"start {way.start}"
    drawing.boxes.setdefault(before, _asking(proof, way.start))
    for link in way.links:
        if link.step == "gateway":
            drawing.lines[before, _key(gateway), way.start] = None
            return
        box = _passed(link)
        key = f"{link.step} {box.title} {box.lines if link.step != 'name' else ''}"
        drawing.boxes.setdefault(key, box)
        drawing.lines[before, key, way.start] = None
        before = key


def _idle(drawing: _Drawing, proof: Proof, gateway: Gateway) -> None:
    """A gateway without any app: its first app's name would be answered by whoever answers on the LAN."""
    inside = proof.ground.env.edge.dns.inside
    if inside is None or any(to == _key(gateway) for _, to, _ in drawing.lines):
        return
    asking, answering = "start inside", f"name {inside.by} "
    drawing.boxes.setdefault(asking, _asking(proof, "inside"))
    drawing.boxes.setdefault(answering, Box("name", inside.by, ("answers the name",)))
    drawing.lines |= {(asking, answering, "inside"): None, (answering, _key(gateway), "inside"): None}


def _asking(proof: Proof, start: Start) -> Box:
    if start == "outside":
        return Box("start", "The internet", ("anybody",))
    return Box("start", "The LAN", ("and Tailscale",) if proof.ground.env.edge.vpn else ("any machine there",))


def _passed(link: Link) -> Box:
    if link.step == "name":
        return Box("name", link.says.partition(":")[0].partition(", written")[0], ("answers the name",))
    if link.step == "tunnel":
        return Box("tunnel", _WORDS["tunnel"], (link.says.partition(" of tunnel ")[2].partition(" (")[0],))
    if link.step == "hop":
        name, _, rest = link.says.partition(" at ")
        return Box("hop", name, (rest.partition(",")[0],))
    return Box(link.step, _WORDS.get(link.step, link.step), (link.says,))


def _apps(proof: Proof, gateway: Gateway) -> Iterator[tuple[str, str, tuple[Start, ...]]]:
    """(name, Service and port, from where) of every app behind a gateway."""
    for chain in proof.chains:
        reached = [way for way in chain.ways if _reached(proof, way) == gateway and _served(way)]
        starts: tuple[Start, ...] = tuple(way.start for way in reached)
        if reached:
            says = next(link.says for link in reached[0].links if link.step == "service")
            named = says.removeprefix("Service ").partition(",")[0].replace(" port ", ":")
            chart = says.partition(" of chart ")[2].partition(":")[0]
            yield chain.host, f"chart {chart}" if chart else named, starts


def _served(way: Way) -> bool:
    return any(link.step == "service" for link in way.links)


def _placed(drawing: _Drawing, lanes: list[str]) -> tuple[float, float]:
    """Give every box its place; (width, height) of all."""
    used = [column for column in _COLUMNS if any(box.column == column for box in drawing.boxes.values())]
    x = 20.0
    for column in used:
        boxes = [box for box in drawing.boxes.values() if box.column == column]
        for box in boxes:
            box.x, box.width = x, max(each.least for each in boxes)
        x += boxes[0].width + _GAP
    top = 20.0
    for lane in lanes:
        apps = drawing.boxes.get(f"apps {lane}")
        row = [drawing.boxes[lane], *([apps] if apps else [])]
        high = max(box.height for box in row)
        for box in row:
            box.y = top + (high - box.height) / 2
        top += high + _BETWEEN
    for column in reversed(used[: used.index("gateway")] if "gateway" in used else []):
        _beside(drawing, column)
    lowest = max((box.y + box.height for box in drawing.boxes.values()), default=20.0)
    return max(x - _GAP + 20, _LEGEND), lowest + 20


def _beside(drawing: _Drawing, column: str) -> None:
    """Boxes of a column stand where their lines lead, and keep apart; the internet's above the LAN's."""
    here = [(key, box) for key, box in drawing.boxes.items() if box.column == column]

    def wanted(key: str) -> tuple[bool, float]:
        led = [(start, drawing.boxes[to].middle) for one, to, start in drawing.lines if one == key]
        inside = bool(led) and all(start == "inside" for start, _ in led)
        return inside, sum(y for _, y in led) / len(led) if led else 0.0

    lowest = 20.0
    for key, box in sorted(here, key=lambda pair: wanted(pair[0])):
        inside, middle = wanted(key)
        # What only the LAN uses stands below what the internet comes through, so that no line crosses a box
        under = _below_tunnel(drawing, column) if inside else lowest
        box.y = max(middle - box.height / 2, lowest, under)
        lowest = box.y + box.height + _BETWEEN


def _below_tunnel(drawing: _Drawing, column: str) -> float:
    passed = [
        box for box in drawing.boxes.values() if box.column in ("tunnel", "router", "hop") and box.column != column
    ]
    return max((box.y + box.height for box in passed), default=0.0) + 8


def _lines(drawing: _Drawing) -> Iterator[str]:
    for one, to, start in drawing.lines:
        source, target = drawing.boxes[one], drawing.boxes[to]
        both = (one, to, "outside" if start == "inside" else "inside") in drawing.lines
        shift = (-5 if start == "outside" else 5) if both or target.column == "gateway" else 0
        begin, end = source.x + source.width, target.x - 3
        bend = end - _GAP + 3
        y, there = source.middle + shift, target.middle + shift
        curve = f"C{bend + 34:.0f},{y:.0f} {bend + 26:.0f},{there:.0f} {end:.0f},{there:.0f}"
        way = f"M{begin:.0f},{y:.0f} H{bend:.0f} {curve}"
        yield f'<path d="{way}" fill="none" stroke="{COLOURS[start]}" stroke-width="2" stroke-opacity="0.85"/>'
        tip = f"M{end - 7:.0f},{there - 4.5:.1f} L{end + 2:.0f},{there:.0f} L{end - 7:.0f},{there + 4.5:.1f} Z"
        yield f'<path d="{tip}" fill="{COLOURS[start]}"/>'


_FILLS = {"start": "#f1f5f9", "gateway": "#eef2ff", "apps": "#ffffff"}


def _box(box: Box) -> Iterator[str]:
    fill = _FILLS.get(box.column, "#fff7ed")
    edge = "#fdba74" if fill == "#fff7ed" else "#cbd5e1"
    yield (
        f'<rect x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{box.height:.0f}" rx="9" '
        f'fill="{fill}" stroke="{edge}" stroke-width="1.2"/>'
    )
    left, down = box.x + _PAD, box.y + _HEAD + 2
    bold = 'font-size="14" font-weight="bold" fill="#0f172a"'
    yield f'<text x="{left:.0f}" y="{down:.0f}" {bold}>{escape(box.title)}</text>'
    for at, line in enumerate(box.lines):
        down += _LINE
        starts = box.dots[at] if box.dots else ()
        yield from (_dot(left + 3 + 11 * (start == "inside"), down - 4, start) for start in starts)
        indent = 26 if box.dots else 0
        yield (
            f'<text x="{left + indent:.0f}" y="{down:.0f}" font-size="11.5" fill="#334155" xml:space="preserve" '
            f'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace">{escape(line)}</text>'
        )


def _dot(x: float, y: float, start: Start) -> str:
    return f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4" fill="{COLOURS[start]}"/>'


def _legend(top: float) -> Iterable[str]:
    at = 26.0
    words: dict[Start, str] = {"outside": "from the internet", "inside": "from the LAN"}
    for start, told in words.items():
        yield _dot(at, top + 8, start)
        yield f'<text x="{at + 10:.0f}" y="{top + 12:.0f}" font-size="12" fill="#475569">{told}</text>'
        at += 150
