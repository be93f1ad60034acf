"""Laws of the workstation as boot server: it stands there, it leases nothing, and it does not stay.

Owns what only holds while `served_by` is `workstation`. Refuses its address, which is judged like any other
(`claims`).
"""

from collections.abc import Iterator

from model.environment import Environment
from model.laws.registry import Breach, law

WORKSTATION = "network.netboot.workstation"
SERVED_BY = "network.netboot.served_by"


@law("network-netboot-workstation")
def serving_workstation_has_an_address(env: Environment) -> Iterator[Breach]:
    """The workstation that serves has an address: every line that a machine is told names it."""
    boot = env.network.netboot
    if boot and boot.served_by == "workstation" and boot.workstation is None:
        message = "machines are to boot from the workstation, and nothing says where it is"
        hint = f"add workstation: its address on VLAN {boot.vlan}; or served_by: ainur"
        yield Breach(WORKSTATION, message, hint, SERVED_BY)


@law("network-netboot-workstation-leases", unless=("network-netboot-workstation",))
def serving_workstation_leases_nothing(env: Environment) -> Iterator[Breach]:
    """While the workstation serves, the router leases: leases that lay on the workstation would be lost when it hands
    over, and their addresses given away again."""
    boot = env.network.netboot
    for name, vlan in env.network.vlans.items():
        if boot and boot.served_by == "workstation" and vlan.dhcp and vlan.dhcp.mode == "server":
            message = f"our dnsmasq is to lease on VLAN {name}, and the workstation serves, whose leases do not last"
            hint = "mode: proxy and a DHCP server on the router until the hand-over; or served_by: ainur"
            yield Breach(f"network.vlans.{name}.dhcp.mode", message, hint, SERVED_BY)


@law("network-netboot-handover", "warning", unless=("network-netboot-workstation", "network-netboot-nobody"))
def workstation_hands_over(env: Environment) -> Iterator[Breach]:
    """The workstation serves the first boot only: once the bootstrap cluster's boot services answer, it hands over."""
    boot = env.network.netboot
    if boot and boot.served_by == "workstation":
        message = f"machines boot from the workstation, {boot.workstation}; our dnsmasq keeps silent for them meanwhile"
        hint = (
            f"once http://{boot.address}/boot.ipxe answers: stop dnsmasq on the workstation, served_by: ainur, "
            f"the router's option 66 to {boot.address}, `pulumi up`"
        )
        yield Breach(SERVED_BY, message, hint, "network.netboot.address")
