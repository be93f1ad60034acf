"""Network UPS Tools for the machine that watches a UPS, and the shutdown that it runs when the mains stay away.

Owns the files of its `/etc/nut`. Refuses the password between its two daemons: `install` makes one on the watcher
itself, where it stays; in these files stands a placeholder.
"""

import shlex
from itertools import groupby

from model.shutdown import (
    FINAL_SECONDS,
    POLL_SECONDS,
    SYNC_SECONDS,
    TELL_SECONDS,
    ShutdownPlan,
    ShutdownStep,
    Way,
)

PASSWORD = "@PASSWORD@"
HEADING = "# Written by Ilúvatar; changes here are lost.\n"
TALOSCONFIG = "/etc/nut/talosconfig"
KEY = "/etc/nut/id_ed25519"
KNOWN_HOSTS = "/etc/nut/known_hosts"
TIMEOUT = f"timeout --signal=KILL {TELL_SECONDS}"
"""The shutdown ignores TERM, and so does what it starts: ssh would wait for minutes."""


def files(plan: ShutdownPlan) -> dict[str, str]:
    """File's name → text, for the watcher of one UPS."""
    return {
        "install.sh": _install(plan),
        "nut.conf": f"{HEADING}MODE=standalone\n",
        "ups.conf": _ups(plan),
        # The watcher alone asks it, and itself shuts the others down: nothing listens on the network
        "upsd.conf": f"{HEADING}LISTEN 127.0.0.1 3493\n",
        "upsd.users": f"{HEADING}[watcher]\n  password = {PASSWORD}\n  upsmon primary\n",
        "upsmon.conf": _upsmon(plan),
        "upssched.conf": _upssched(plan),
        "known_hosts": HEADING + "".join(f"{one.address} {one.host_key}\n" for one in _by(plan, "ssh") if one.host_key),
        "shutdown-lab.sh": shutdown_script(plan),
    }


def _by(plan: ShutdownPlan, way: Way) -> list[ShutdownStep]:
    """Who is told in one way."""
    return [step for step in plan.steps if step.way == way]


def _install(plan: ShutdownPlan) -> str:
    return CHECKS.format(driver=plan.driver) + _asks(plan) + INSTALL


CHECKS = """\
#!/bin/sh
# Run once on the watcher, as root; again after a change. Debian's packages: nut, and
# nut-snmp for a UPS on the network. Nothing is written until all that the shutdown needs is there and is admitted.
set -eu
umask 027
cd "$(dirname "$0")"
refuse() {{ echo "install.sh: $1" >&2; exit 1; }}
test -x /lib/nut/{driver} || refuse "/lib/nut/{driver}, the UPS' driver, is missing: apt install nut, or nut-snmp"
"""

INSTALL = f"""\
test -s /etc/nut/shared || od -An -N24 -tx1 /dev/urandom | tr -d ' \\n' > /etc/nut/shared
PASSWORD=$(cat /etc/nut/shared)
export PASSWORD
for file in nut.conf ups.conf upsd.conf upsd.users upsmon.conf upssched.conf known_hosts; do
  awk '{{ gsub(/{PASSWORD}/, ENVIRON["PASSWORD"]); print }}' "$file" > "/etc/nut/$file"
  chown root:nut "/etc/nut/$file"
done
chown root:nut /etc/nut/shared
install -m 750 -g nut shutdown-lab.sh /etc/nut/shutdown-lab
systemctl restart nut-driver-enumerator nut-server nut-monitor
"""


def _asks(plan: ShutdownPlan) -> str:
    """Proves the credentials on a machine, shutting nothing down. One that answers is enough: others may
    be switched off just now."""
    found = ""
    if nodes := _by(plan, "talos"):
        made = "talosctl config new --roles os:operator makes one"
        found += f"""\
command -v talosctl > /dev/null || refuse "talosctl is missing: put it into /usr/local/bin"
test -s {TALOSCONFIG} || refuse "{TALOSCONFIG} is missing: {made}, 0600 root"
told=
for node in {" ".join(node.address for node in nodes)}; do
  if {_talosctl('"$node"')} version --short > /dev/null; then told=yes; break; fi
done
test "$told" || refuse "no Talos node answered to {TALOSCONFIG}: see above"
"""
    if pis := _by(plan, "ssh"):
        made = "a private key whose public half is in bootstrap.ssh.authorized_keys"
        targets = " ".join(shlex.quote(f"{plan.user}@{pi.address}") for pi in pis)
        found += f"""\
test -s {KEY} || refuse "{KEY} is missing: {made}, 0600 root"
told=
for pi in {targets}; do
  if {_ssh("known_hosts")} "$pi" sudo -n true; then told=yes; break; fi
done
test "$told" || refuse "no Pi admitted {KEY}: see above"
"""
    return found


def _talosctl(node: str) -> str:
    return f"{TIMEOUT} talosctl --talosconfig {TALOSCONFIG} --endpoints {node} --nodes {node}"


def _ssh(known: str) -> str:
    checked = f"-o UserKnownHostsFile={known} -o StrictHostKeyChecking=yes"
    return f"{TIMEOUT} ssh -i {KEY} -o BatchMode=yes {checked}"


def _ups(plan: ShutdownPlan) -> str:
    port = plan.address if plan.driver == "snmp-ups" else "auto"
    described = plan.model.replace("\\", "\\\\").replace('"', '\\"')
    entry = f'[{plan.ups}]\n  driver = {plan.driver}\n  port = {port}\n  desc = "{described}"\n'
    return f"{HEADING}maxretry = 3\n\n{entry}"


def _upsmon(plan: ShutdownPlan) -> str:
    return f"""\
{HEADING}MONITOR {plan.ups}@localhost 1 watcher {PASSWORD} primary
MINSUPPLIES 1
POLLFREQ {POLL_SECONDS}
POLLFREQALERT {POLL_SECONDS}
HOSTSYNC {SYNC_SECONDS}
FINALDELAY {FINAL_SECONDS}
POWERDOWNFLAG /etc/killpower
# Called on a low battery too, whatever the timer says
SHUTDOWNCMD "/etc/nut/shutdown-lab now"
NOTIFYCMD /sbin/upssched
NOTIFYFLAG ONBATT SYSLOG+WALL+EXEC
NOTIFYFLAG ONLINE SYSLOG+WALL+EXEC
NOTIFYFLAG LOWBATT SYSLOG+WALL
"""


def _upssched(plan: ShutdownPlan) -> str:
    return f"""\
{HEADING}CMDSCRIPT /etc/nut/shutdown-lab
PIPEFN /run/nut/upssched.pipe
LOCKFN /run/nut/upssched.lock
# A short failure changes nothing; a long one ends the lab in good order, by upsmon's SHUTDOWNCMD
AT ONBATT * START-TIMER begin {plan.after_seconds}
AT ONLINE * CANCEL-TIMER begin
"""


def shutdown_script(plan: ShutdownPlan) -> str:
    """The shutdown, stage by stage. One machine that does not answer stops no other."""
    lines = [
        "#!/bin/sh",
        f"# Shuts the lab down when {plan.ups} runs on its battery. Written by Ilúvatar; changes here are lost.",
        "set -u",
        'case "${1:-}" in',
        "  begin) exec upsmon -c fsd ;; # of the timer: upsmon calls again, as root",
        "  now) ;;",
        "  *) exit 0 ;;",
        "esac",
        "# Once begun it goes to its end: half a lab is worse than none",
        "trap '' TERM HUP",
        'say() { logger -t shutdown-lab -- "$*"; }',
        "talos() {",
        '  say "$1: shutdown"',
        "  " + _talosctl('"$2"') + ' shutdown --force --wait=false || say "$1 did not answer"',
        "}",
        "ssh_off() {",
        '  say "$1: shutdown"',
        f'  {_ssh(KNOWN_HOSTS)} "$2" sudo systemctl poweroff || say "$1 did not answer"',
        "}",
    ]
    for stage, steps in groupby(plan.steps, key=lambda step: step.stage):
        lines += _stage(plan, stage, list(steps))
    return "\n".join([*lines, "exec /sbin/shutdown -h +0", ""])


def _stage(plan: ShutdownPlan, stage: int, steps: list[ShutdownStep]) -> list[str]:
    lines = ["", f"# {stage}. {steps[0].what}: {', '.join(step.name for step in steps)}"]
    told = [step for step in steps if step.way in ("talos", "ssh")]
    for step in told:
        name = shlex.quote(step.name)
        target = step.address if step.way == "talos" else shlex.quote(f"{plan.user}@{step.address}")
        lines.append(f"{'talos' if step.way == 'talos' else 'ssh_off'} {name} {target} &")
    if told:
        return [*lines, "wait", f"sleep {plan.stage_seconds}"]
    return [*lines, NOT_TOLD[steps[0].way]]


NOT_TOLD = {
    "by hand": "# not told from here: give it a NUT client of its own, or it stops with the battery",
    "itself": "# below: the UPS switches its outlets off once this machine is down",
    "dark": "# nothing to tell: it goes dark with the battery",
}
