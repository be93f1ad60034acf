"""The join tokens of k3s: where the first server has them, and how a joining Pi keeps the one that it is brought.

Owns the commands' texts, POSIX sh. There are two tokens, so that who holds a Maia's disk cannot make a server of it:
agents join with theirs alone, servers with theirs (k3s, "k3s token"). Refuses the tokens themselves: they come on
stdin.
"""

from model.ainur import BootstrapNodePlan
from render.k3s_config import AGENTS_TOKEN, TOKEN

DATA = "/var/lib/rancher/k3s/server"
"""Where k3s writes both, in their full form `K10<hash of its authority>::<user>:<password>`."""
SERVERS = f"sudo cat {DATA}/node-token"
"""Prints the servers' token, which k3s made on the first one."""
_PASSWORD = "[0-9a-f]{32}"
_FORM = {"agent": f"^K10[0-9a-f]{{64}}::node:{_PASSWORD}$", "server": f"^K10[0-9a-f]{{64}}::server:{_PASSWORD}$"}


def agents(first: BootstrapNodePlan) -> str:
    """Prints the agents' token. Without one of its own k3s shows the servers' in its place: that is refused."""
    return f"""\
sudo grep -E '{_FORM["agent"]}' {DATA}/agent-token || {{
  echo "{first.name} has no token for agents alone ({AGENTS_TOKEN}): its cluster was made without one, and k3s takes
  none later. What then: docs/day-2/ainur.md, 'A token for agents alone'" >&2
  exit 1
}}
"""


def password(token: str) -> str:
    """Of a token in its full form what the servers' `agent-token-file` holds, and what they compare."""
    return token.strip().rpartition(":")[2]


def keep_agents(node: BootstrapNodePlan) -> str:
    """A further server keeps the agents' password, which comes on stdin: all servers must take the same.

    One that ran already is brought no other: k3s writes it into a file that it then finds newer than its datastore, and
    does not start a second time.
    """
    return _kept(AGENTS_TOKEN, f"^{_PASSWORD}$", "the agents' token", node.name, _takes_no_other(node))


def _takes_no_other(node: BootstrapNodePlan) -> str:
    return f"""\
if sudo test -s {DATA}/agent-token && ! {_takes(f"{AGENTS_TOKEN}.new")}; then
  sudo rm -f {AGENTS_TOKEN}.new
  {_another(node)}
fi
"""


def keep(node: BootstrapNodePlan) -> str:
    """A joining Pi keeps the token of its kind, which comes on stdin."""
    return _kept(TOKEN, _FORM[node.role], "the join token", node.name)


def same_for_agents(node: BootstrapNodePlan) -> str:
    """On a further server that runs: it takes from agents what it was brought, and nothing else."""
    return f"""\
{_takes(AGENTS_TOKEN)} || {{
  {_another(node)}
}}
"""


def _takes(path: str) -> str:
    """Whether a server that ran takes from agents what is there: k3s keeps it from its first start on."""
    return f"sudo grep -q -f {path} {DATA}/agent-token"


def _another(node: BootstrapNodePlan) -> str:
    return f"""\
echo "{node.name} takes another token from agents than the first server, and k3s learns no other later
  it must join anew: docs/day-2/ainur.md, 'A token for agents alone'" >&2
  exit 1"""


def _kept(path: str, form: str, what: str, name: str, first: str = "") -> str:
    """Whole or not at all, for what is kept is joined with at every boot: written beside, looked at, then moved."""
    return f"""\
sudo install -D -m 0600 /dev/stdin {path}.new
sudo grep -qE '{form}' {path}.new || {{
  sudo rm -f {path}.new
  echo "{what} did not arrive whole on {name}: run it again" >&2
  exit 1
}}
{first}sudo mv -f {path}.new {path}
"""
