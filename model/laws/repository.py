"""Laws of a private repository: it is asked in a way that it takes, and its server is known by its own key.

Owns `gitops.credentials`, `username` and `known_hosts`, and that Argo CD's values say the same. Refuses the secrets'
values, and the address' own form (`gitops`).
"""

from collections.abc import Iterator

from model.closure.reading import mapping
from model.environment import Environment
from model.gitops import ENGINE_APP, Gitops
from model.laws.folders import reconciled
from model.laws.registry import Breach, law, tree_law
from model.laws.words import listed
from model.repository import about, hosts_of, ssh_host
from model.tree import Tree, seeded

_FORM = ("gitops-repository", "secret-in-url")


@law("gitops-credentials", unless=_FORM)
def credentials_fit_the_address(env: Environment) -> Iterator[Breach]:
    """A private repository is asked as its address wants it: over ssh with a deploy key, over https with a token. Only
    Argo CD asks one; Flux pulls artefacts."""
    gitops = env.gitops
    if gitops is None:
        return
    path, url = "gitops.credentials", gitops.repository[:80]
    wrong = _unfit(gitops)
    if wrong:
        yield Breach(path, f"{wrong[0]}: {url}", wrong[1], "gitops.repository")
    if gitops.username and gitops.credentials != "token":
        message = "a username goes with a token, and there is none"
        yield Breach("gitops.username", message, "leave it out; over ssh it stands in the address", path)


def _unfit(gitops: Gitops) -> tuple[str, str] | None:
    """(what is wrong, how to mend it)."""
    ssh, given = ssh_host(gitops.repository) is not None, gitops.credentials
    if gitops.engine == "flux":
        hint = "push it as an artefact, repository: oci://…, with registry_login: true, or use engine: argocd"
        return ("Flux is given no key to a Git repository here", hint) if given or ssh else None
    if ssh and given is None:
        return "over ssh nobody is let in without a key", "credentials: deploy-key, or the https address"
    if ssh and given == "token":
        return "a token lets nobody in over ssh", "credentials: deploy-key, or the https address"
    if not ssh and given == "deploy-key":
        return "a deploy key opens a repository over ssh only", "credentials: token, or the ssh address"
    return None


@law("gitops-known-hosts", unless=(*_FORM, "gitops-credentials"))
def server_is_known(env: Environment) -> Iterator[Breach]:
    """The server that is asked over ssh is known by its own key: else who answers first could say what runs here."""
    gitops = env.gitops
    if gitops is None:
        return
    host, path = ssh_host(gitops.repository), "gitops.known_hosts"
    for index, line in enumerate(gitops.known_hosts):
        if not hosts_of(line):
            hint = "as in: git.example.com ssh-ed25519 AAAA…, which ssh-keyscan (without -H) prints"
            yield Breach(f"{path}.{index}", f"'{line[:60]}' is no line of known_hosts that names its server", hint)
    if host is None and gitops.known_hosts:
        yield Breach(path, "nothing is asked over ssh", "leave them out, or use the ssh address", "gitops.repository")
    elif host and not about(host, gitops.known_hosts):
        name, _, port = host.strip("[").replace("]", "").partition(":")
        hint = (
            f"ssh-keyscan -t ed25519 {f'-p {port} ' if port else ''}{name[:80]}, held against what your forge publishes"
        )
        yield Breach(path, f"no line is about {host[:80]}, which is asked over ssh", hint, "gitops.repository")


@law("gitops-mirror-open", "note", unless=("gitops-credentials",))
def a_mirror_asks_nobody(env: Environment) -> Iterator[Breach]:
    """A private repository is no secret in the house once it is mirrored: the mirror asks nobody who he is."""
    gitops = env.gitops
    for name, cluster in sorted(gitops.clusters.items()) if gitops and gitops.credentials and env.bootstrap else ():
        if cluster.source == "mirror":
            message = "the repository is private, and whoever reaches bootstrap.ingress may read its mirror"
            hint = "nothing to do in a house of your own; else source: upstream, and no folder git-mirror"
            yield Breach(f"gitops.clusters.{name}.source", message, hint, "gitops.credentials")


@tree_law("argocd-known-hosts", unless=("gitops-yaml", *_FORM, "gitops-credentials", "gitops-known-hosts"))
def argo_cd_knows_the_server(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Argo CD believes the server's keys as the stack file has them, no fewer and no other: it refuses one that it does
    not know."""
    for cluster, _, gitops in reconciled(env):
        host = ssh_host(gitops.repository)
        reads = gitops.engine == "argocd" and not (gitops.clusters[cluster].source == "mirror" and env.bootstrap)
        engine = seeded(tree, cluster, ENGINE_APP["argocd"]) if host and reads else None
        if engine is None or host is None:
            continue
        ssh = mapping(mapping(engine.values.get("configs")).get("ssh"))
        said, right = about(host, str(ssh.get("extraHosts") or "").splitlines()), about(host, gitops.known_hosts)
        for key in sorted(right - said):
            message = f"{cluster}'s Argo CD does not know {host[:60]} by {key[:40]}…"
            hint = f"in its values, configs.ssh.extraHosts, this line: {host} {key}"
            yield Breach(f"gitops.clusters.{cluster}", message, hint, "gitops.known_hosts")
        if said - right:
            other = listed(sorted(said - right))
            message = f"{cluster}'s Argo CD believes keys of {host[:60]} that nobody wrote down: {other}"
            hint = "take them out of configs.ssh.extraHosts, or add them here"
            yield Breach(f"gitops.clusters.{cluster}", message[:230], hint, "gitops.known_hosts")
