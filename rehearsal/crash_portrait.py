"""What stands in a World, for comparing two: what was lost, what is there twice.

Owns which facts count. Refuses what chance or the clock decides (keys, tokens, ids, times, revisions): two clean runs
have equal portraits.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Portrait = dict[str, int]
"""A fact in words and how often it holds."""

ONCE = frozenset({"create tunnel", "create record", "bootstrap etcd", "install", "first boot"})
"""Events of the journal that must happen as often as in a clean run: machines, names and etcd are not idempotent."""


def portrait(world: dict[str, Any]) -> Portrait:
    """The facts of a World's data, as `World.save` writes them."""
    sections: dict[str, Any] = world["sections"]
    facts = [
        *_events(world["journal"]),
        *_machines(sections["machines"]),
        *_etcd(sections["talos"]),
        *_hosts(sections.get("hosts", {})),
        *_clusters(sections["kubernetes"]),
        *_cloudflare(sections["cloudflare"]),
        *(f"schematic {identity}" for identity in sections["factory"]["schematics"]),
    ]
    return dict(Counter(facts))


def read(path: Path) -> Portrait:
    """The portrait of the World in a file."""
    return portrait(json.loads(path.read_text(encoding="utf-8")))


def differences(clean: Portrait, other: Portrait) -> list[str]:
    """What `other` lacks or has more often than `clean`, in words."""
    found = []
    for fact in sorted(set(clean) | set(other)):
        want, have = clean.get(fact, 0), other.get(fact, 0)
        if have != want:
            what = "lost" if not have else "never there in a clean run" if not want else f"{have} times, not {want}"
            found.append(f"{what}: {fact}")
    return found


def _events(journal: list[dict[str, Any]]) -> Iterator[str]:
    for event in journal:
        machine = event["operation"] != "install" or event["kind"] == "talos"  # a Helm install may be repeated
        if event["operation"] in ONCE and machine:
            yield f"event {event['operation']} {event['subject']}"


def _machines(machines: dict[str, Any]) -> Iterator[str]:
    for name, one in machines.items():
        yield f"machine {name} {one['stage']} {one['installed_address']} {one['image']} staged={one['pending']}"


def _etcd(talos: dict[str, Any]) -> Iterator[str]:
    for cluster in talos.get("clusters", {}).values():
        yield f"etcd {cluster['name']} bootstrapped"
        for member in cluster["members"]:
            yield f"etcd {cluster['name']} member {member}"
        for name, facts in cluster["nodes"].items():
            yield f"talos {cluster['name']} node {name} {_text(facts)}"


def _hosts(hosts: dict[str, Any]) -> Iterator[str]:
    for name, host in hosts.items():
        yield f"host {name} {_text(host['services'])}"
        for path, file in host["files"].items():
            yield f"host {name} file {path} {file['mode']} {file['owner']}"


def _clusters(clusters: dict[str, Any]) -> Iterator[str]:
    for name, cluster in clusters.items():
        yield f"kubernetes {name} {cluster['server']} {cluster['version']}"
        for key, stored in cluster["objects"].items():
            body = stored["object"]
            hidden = body.keys() if body["kind"] == "Secret" else ("metadata", "status")
            yield f"{name} {key} {_text({field: value for field, value in body.items() if field not in hidden})}"
            for condition in (body.get("status") or {}).get("conditions") or ():
                yield f"{name} {key} {condition['type']}={condition['status']}"
        for key, release in cluster["releases"].items():
            yield f"{name} release {key} {release['chart']} {release['version']} {release['status']}"
            yield f"{name} release {key} {_text(release['values'])}"


def _cloudflare(cloudflare: dict[str, Any]) -> Iterator[str]:
    tunnels = {identity: tunnel["name"] for identity, tunnel in cloudflare["tunnels"].items()}
    for record in cloudflare["records"].values():
        identity, dot, rest = str(record.get("content")).partition(".")
        content = f"<{tunnels[identity]}>{dot}{rest}" if identity in tunnels else record.get("content")
        yield f"record {record['type']} {record['name']} {content} {record['ttl']} proxied={record['proxied']}"
    for setting in cloudflare["settings"].values():
        yield f"zone setting {setting['id']} {setting['value']}"
    for tunnel in (each for each in cloudflare["tunnels"].values() if not each.get("deleted_at")):
        rules = (tunnel["configuration"] or {}).get("config")
        yield f"tunnel {tunnel['name']} {tunnel['config_src']} {_text(rules)}"


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
