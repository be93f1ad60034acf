"""Network UPS Tools for the machine that watches a UPS, and the shutdown that it runs when the mains stay away.

Owns the files of its `/etc/nut`. Refuses the password between its two daemons: `install` makes one on the watcher
itself, where it stays; in these files stands a placeholder.
"""

import shlex
from itertools import groupby

from model.shutdown import ShutdownPlan, ShutdownStep

PASSWORD = "@PASSWORD@"
HEADING = "# Written by Ilúvatar; changes here are lost.\n"
TALOSCONFIG = "/etc/nut/talosconfig"
KEY = "/etc/nut/id_ed25519"


def files(plan: ShutdownPlan) -> dict[str, str]:
    """File's name → text, for the watcher of one UPS."""
    return {
        "install.sh": INSTALL,
        "nut.conf": f"{HEADING}MODE=standalone\n",
        "ups.conf": _ups(plan),
        # The watcher alone asks it, and itself shuts the others down: nothing listens on the network
        "upsd.conf": f"{HEADING}LISTEN 127.0.0.1 3493\n",
        "upsd.users": f"{HEADING}[watcher]\n  password = {PASSWORD}\n  upsmon primary\n",
        "upsmon.conf": _upsmon(plan),
        "upssched.conf": _upssched(plan),
        "shutdown-lab.sh": shutdown_script(plan),
    }


INSTALL = f"""\
#!/bin/sh
# Run once on the watcher, as root, in the folder of these files; again after a change.
# Besides: a talosconfig that may shut down ({TALOSCONFIG}, `talosctl config new --roles os:operator`) and an SSH key
# that the bootstrap cluster admits ({KEY}), both readable by root alone.
set -eu
umask 027
test -s /etc/nut/shared || od -An -N24 -tx1 /dev/urandom | tr -d ' \\n' > /etc/nut/shared
PASSWORD=$(cat /etc/nut/shared)
export PASSWORD
for file in nut.conf ups.conf upsd.conf upsd.users upsmon.conf upssched.conf; do
  awk '{{ gsub(/{PASSWORD}/, ENVIRON["PASSWORD"]); print }}' "$file" > "/etc/nut/$file"
  chown root:nut "/etc/nut/$file"
done
chown root:nut /etc/nut/shared
install -m 750 -g nut shutdown-lab.sh /etc/nut/shutdown-lab
systemctl restart nut-driver-enumerator nut-server nut-monitor
"""


def _ups(plan: ShutdownPlan) -> str:
    return f'{HEADING}maxretry = 3\n\n[{plan.ups}]\n  driver = {plan.driver}\n  port = auto\n  desc = "{plan.model}"\n'


def _upsmon(plan: ShutdownPlan) -> str:
    return f"""\
{HEADING}MONITOR {plan.ups}@localhost 1 watcher {PASSWORD} primary
MINSUPPLIES 1
POLLFREQ 5
POLLFREQALERT 5
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
        f'  say "$1: shutdown"; timeout 20 talosctl --talosconfig {TALOSCONFIG} --endpoints "$2" --nodes "$2" \\',
        '    shutdown --force --wait=false || say "$1 did not answer"',
        "}",
        "ssh_off() {",
        f'  say "$1: shutdown"; timeout 20 ssh -i {KEY} -o BatchMode=yes "$2" sudo systemctl poweroff \\',
        '    || say "$1 did not answer"',
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
