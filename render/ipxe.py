"""iPXE scripts: what each machine runs once iPXE has it.

Owns the scripts. Refuses anything secret: they are served over plain HTTP, and a machine's configuration comes later,
over the Talos API.
"""

from model.images import Image
from model.netboot import BootEntry, NetbootPlan, runs_on

SAID = "name=machine-${net0/mac:hexhyp}&mac=${net0/mac}&serial=${serial:uristring}&model=${product:uristring}"
"""What an unknown machine says of itself where it asks for its script: the boot server writes it into its log."""


def scripts(netboot: NetbootPlan) -> dict[str, str]:
    """File name → script: `boot.ipxe` sends each machine to its own, `unknown.ipxe` is for the rest."""
    files = {"boot.ipxe": _menu(netboot)}
    for entry in netboot.entries:
        name = entry.mac.replace(":", "-") if entry.mac else "unknown"
        files[f"{name}.ipxe"] = _script(netboot, entry)
    return dict(sorted(files.items()))


def _menu(netboot: NetbootPlan) -> str:
    """Only who has no script of its own is unknown: one whose own script fails must never boot another class' image."""
    # ${next-server} is the router where the router leases (proxyDHCP), so the address is written out
    base = f"http://{netboot.address}"
    return (
        f"#!ipxe\nimgfetch --name own {base}/${{net0/mac:hexhyp}}.ipxe || goto unknown\nchain own\nexit\n"
        f":unknown\nchain {base}/unknown.ipxe?{SAID}&arch=${{buildarch}}\n"
    )


def _script(netboot: NetbootPlan, entry: BootEntry) -> str:
    if entry.image is None:
        return f"#!ipxe\n# {entry.name}: its own disk\nexit\n"
    heading = f"#!ipxe\n# {entry.name}: {entry.image.hardware}\n"
    loads = _talos(netboot.address, entry.image, entry.arguments)
    if entry.mac:
        return f"{heading}{loads}boot\n"
    return f"{heading}{_only_on(entry.image)}:image\n{loads}boot\n:disk\nexit\n"


def _only_on(image: Image) -> str:
    """A machine nobody listed may be of another architecture than the image: it then boots its own disk."""
    tests = " || ".join(f"iseq ${{buildarch}} {name}" for name in runs_on(image.arch))
    return f"{tests} || goto disk\n"


def _talos(server: str, image: Image, arguments: tuple[str, ...]) -> str:
    kernel = " ".join((f"http://{server}/{image.kernel_path}", *arguments))
    return f"kernel {kernel}\ninitrd http://{server}/{image.initramfs_path}\n"


def served_at(address: str) -> str:
    """A command that succeeds once the first script is served at `address`; waits half an hour at least.

    A fresh card pulls every image first. In vain it says what of the boot services, and of what brings them, is not up.
    """
    return f"""\
curl --fail --silent --show-error --retry 180 --retry-delay 10 --retry-all-errors --output /dev/null \\
  --write-out '%{{http_code}}\\n' http://{address}/boot.ipxe || {{
  echo "after half an hour nothing answers at http://{address}/boot.ipxe. What should bring it, and what runs:" >&2
  sudo k3s kubectl get applications -n argocd >&2
  sudo k3s kubectl get pods -n netboot -o wide >&2
  exit 1
}}"""
