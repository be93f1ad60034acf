"""nginx for whoever serves: the boot server's files, and the log of machines that nobody listed.

Owns its one server block. Refuses everything but reading: no upload, no listing, no other name.
"""

from model.netboot import Discovery, NetbootPlan, runs_on

SCRIPTS = "/srv/boot"
IMAGES = "/srv/boot-images"
LOADERS = "/srv/tftp"
PI_IMAGES = "/srv/pi"
SEEDS = "/srv/seeds"
"""Flat, as a ConfigMap is: `<folder>_<file>`."""
DISCOVERED = "/var/log/discovered/discovered.log"
"""The discovery log: on the Vala's disk, so that it outlives the server."""

MAC = "(?::|%3A)".join(f"(?<mac{part}>[0-9a-f]{{2}})" for part in range(6))
"""A MAC in a query: iPXE writes its colons as %3A, and nginx takes a query as it comes."""
MAC_IN_COLONS = ":".join(f"${{mac{part}}}" for part in range(6))


def whole(netboot: NetbootPlan, images: str) -> str:
    """`nginx.conf` of a machine that has no other, with the folder in which `talos/` lies."""
    block = "".join(f"  {line}\n" if line else "\n" for line in server(netboot, images).splitlines())
    return f"daemon off;\npid /run/boot-http.pid;\nevents {{}}\nhttp {{\n{block}}}\n"


def server(netboot: NetbootPlan, images: str = IMAGES) -> str:
    """`default.conf`, for nginx' `http` block."""
    return f"""\
# Eä's boot server at {netboot.address}. Written by Ilúvatar; changes here are lost.
{_discovery(netboot)}
server {{
  listen 80 default_server;
  server_tokens off;
  root {SCRIPTS};
  default_type text/plain;

  # Talos' kernels and initramfs, by schematic and version
  location /talos/ {{ root {images}; }}
  # iPXE's loaders, for UEFI's HTTP boot: nothing else of what TFTP has
  location ~ ^/loaders/([a-z0-9-]+\\.efi)$ {{ alias {LOADERS}/$1; }}
  # What a netbooted Pi's cloud-init asks for, in the folder of its serial; and what goes onto a card that a Pi writes
  location ~ "^/pi/([0-9a-f]{{8}}(?:-card)?)/([a-z-]+(?:\\.txt)?)$" {{ alias {SEEDS}/$1_$2; }}
  # The system of such a card
  location ~ "^/pi/([0-9a-f]{{12}}\\.img\\.xz)$" {{ alias {PI_IMAGES}/$1; }}
  # A machine that nobody listed: what it is, and the entry to add
  location = /unknown.ipxe {{
    access_log /dev/stdout;
    access_log /dev/stdout discovered if=$discovered_mac;
    access_log {DISCOVERED} discovered if=$discovered_mac;
  }}
}}
"""


def _discovery(netboot: NetbootPlan) -> str:
    """The log's format: an entry for `cluster.nodes`, whole but for what only its owner can decide.

    A machine says of itself what it likes: what is no MAC or no plain word is left out.
    """
    return f"""\
map $arg_mac $discovered_mac {{ default ""; "~^{MAC}$" "{MAC_IN_COLONS}"; }}
map $arg_name $discovered_name {{ default "machine-1"; "~^machine-[0-9a-f-]{{17}}$" $arg_name; }}
map $arg_serial $discovered_serial {{ default "-"; "~^[A-Za-z0-9%._-]{{1,64}}$" $arg_serial; }}
map $arg_model $discovered_model {{ default "-"; "~^[A-Za-z0-9%._,()+-]{{1,64}}$" $arg_model; }}
map $arg_arch $discovered_arch {{ default "-"; "~^[a-z0-9_]{{1,16}}$" $arg_arch; }}
map $discovered_arch $discovered_entry {{
{_entries(netboot.discovery)}
}}
log_format discovered escape=none
  '# $time_iso8601 at $remote_addr: model $discovered_model, serial $discovered_serial, $discovered_arch;'
  ' add under cluster.nodes:\\n'
  '$discovered_entry';
"""


def _entries(found: Discovery | None) -> str:
    """iPXE's word for a machine's architecture → the entry to add, with a class of that architecture."""
    if found is None:
        return "  default '# $discovered_mac: nothing, there is no cluster that it could join';"
    address = f"address: {found.address}, " if found.address else ""
    lines = [
        "default '# $discovered_mac: nothing yet, no class under hardware is of this architecture and boots by iPXE';"
    ]
    for arch, hardware in found.classes.items():
        entry = (
            f"$discovered_name: {{ class: {hardware}, role: worker, {address}"
            f'mac: "$discovered_mac", reach: {found.reach} }}'
        )
        lines += [f"{name} '{entry}';" for name in runs_on(arch)]
    return "\n".join(f"  {line}" for line in lines)
