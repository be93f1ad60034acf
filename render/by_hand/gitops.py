"""GitOps by hand: the engine's chart, and what makes it find the lab's folders.

Owns these steps. Refuses what runs: from here on the engine reconciles it.
"""

from model.flux import LOGIN_SECRET, SOPS_SECRET, VERIFY_SECRET
from model.gitops import AUTHORITY_KEY, AUTHORITY_SECRET, MIRROR_APP, TRUST, GitopsClusterPlan
from model.onepassword import CREDENTIALS_SECRET, NAMESPACE, TOKEN_SECRET
from model.plan import Plan
from model.repository import MIRROR_SECRET, REPOSITORY_SECRET
from render import argocd, flux, manifests, vault
from render.by_hand.step import Step, applied, installed


def engine(plan: Plan, cluster: str, kubeconfig: str) -> list[Step]:
    """Argo CD or Flux on a cluster; nothing where nothing is reconciled."""
    gitops = plan.gitops_on(cluster)
    if gitops is None:
        return []
    space = f"gitops-namespace-{cluster}"
    first, files = applied(kubeconfig, cluster, {space: manifests.namespace(gitops.chart.namespace)})
    command, values = installed(kubeconfig, cluster, gitops.chart)
    files |= values
    if gitops.engine == "argocd":
        bodies = {}
        for category, folder in gitops.categories:
            bodies[f"gitops-project-{cluster}-{category}"] = argocd.project(gitops, category)
            bodies[f"gitops-apps-{cluster}-{category}"] = argocd.application_set(gitops, category, folder)
        rest, objects = applied(kubeconfig, cluster, bodies)
        trusted, trust = _trust(plan, gitops, kubeconfig)
        opened, keys, more = _vault(gitops, kubeconfig)
        seeded, given, places = _seeds(gitops, kubeconfig)
        let_in, shown, held = _repository(gitops, kubeconfig)
        does = (space, *trusted, *let_in, *given, *keys, f"gitops-argo-cd-{cluster}", *bodies)
        why = f"Argo CD; a project and an ApplicationSet a category: it reads {gitops.repository} at {gitops.revision}."
        if keys:
            why += " Connect's credentials, as they were downloaded, and its token are the two files below secret/."
        if gitops.login or gitops.mirror_login:
            why += " What lets it in to the repository is the file secret/repository."
        if given:
            why += f" {_EACH_KEY}"
        commands = (*first, *trust, *shown, *seeded, *opened, command, *rest)
        return [Step(f"{cluster}: Argo CD", why, commands, does, files | objects | more | held | places)]
    return [_flux(plan, gitops, kubeconfig, (*first, command), files)]


def _trust(plan: Plan, gitops: GitopsClusterPlan, kubeconfig: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The graph's names and commands of whom Argo CD believes, at the mirror and where people log in; made of the
    certificate that was read from the first server."""
    if plan.bootstrap is None:
        return (), ()
    root, made = f"{plan.bootstrap.name}/root.crt", {}
    if gitops.mirror:
        made[f"gitops-trust-{gitops.cluster}"] = f"configmap {TRUST} --from-file={gitops.mirror.host}={root}"
    if gitops.believes_authority:
        what = f"secret generic {AUTHORITY_SECRET} --from-file={AUTHORITY_KEY}={root}"
        made[f"gitops-authority-{gitops.cluster}"] = what
    labelled = "kubectl label --local -f - -o yaml app.kubernetes.io/part-of=argocd"
    first = f"kubectl -n {gitops.chart.namespace} create"
    last = f"--dry-run=client -o yaml | {labelled} | kubectl --kubeconfig {kubeconfig} apply --server-side -f -"
    return tuple(made), tuple(f"{first} {what} {last}" for what in made.values())


def _repository(gitops: GitopsClusterPlan, kubeconfig: str) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, str]]:
    """The graph's names, commands and files of what opens a private repository, to Argo CD and to the mirror."""
    names, commands, files = [], [], {}
    kubectl, apply = "kubectl create secret generic", f"kubectl --kubeconfig {kubeconfig} apply --server-side -f -"
    if login := gitops.login:
        names.append(f"gitops-repository-{gitops.cluster}")
        key = "sshPrivateKey" if login.kind == "deploy-key" else "password"
        said = "" if login.kind == "deploy-key" else f" --from-literal=username={login.username}"
        made = f"{kubectl} {REPOSITORY_SECRET} -n {gitops.chart.namespace} --from-file={key}=secret/repository{said}"
        literals = f"--from-literal=type=git --from-literal=url={login.url} --dry-run=client -o yaml"
        label = "kubectl label --local -f - -o yaml argocd.argoproj.io/secret-type=repository"
        commands.append(f"{made} {literals} | {label} | {apply}")
    if gitops.keeps_mirror:
        place = f"gitops-mirror-namespace-{gitops.cluster}"
        lines, files = applied(kubeconfig, gitops.cluster, {place: manifests.namespace(MIRROR_APP, "restricted")})
        names, commands = [*names, place], [*commands, *lines]
    if login := gitops.mirror_login:
        names.append(f"gitops-mirror-key-{gitops.cluster}")
        made = f"{kubectl} {MIRROR_SECRET} -n {MIRROR_APP}"
        if login.kind == "deploy-key":
            known = f"{gitops.cluster}/known_hosts"
            files[known] = "".join(f"{line}\n" for line in login.known_hosts)
            made += f" --from-file=ssh-privatekey=secret/repository --from-file=known_hosts={known}"
        else:
            made += f" --from-literal=username={login.username} --from-file=password=secret/repository"
        commands.append(f"{made} --dry-run=client -o yaml | {apply}")
    return tuple(names), tuple(commands), files


def _vault(gitops: GitopsClusterPlan, kubeconfig: str) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, str]]:
    """Commands, the graph's names and files of what opens the vault; nothing where Connect does not run."""
    if not gitops.onepassword:
        return (), (), {}
    place = f"gitops-vault-{gitops.cluster}"
    commands, files = applied(kubeconfig, gitops.cluster, {place: vault.namespace()})
    names = (CREDENTIALS_SECRET, TOKEN_SECRET)
    create = f"kubectl --kubeconfig {kubeconfig} -n {NAMESPACE} create secret generic"
    made = (f"{create} {name} --from-file={vault.KEYS[name]}=secret/{name}" for name in names)
    return (*commands, *made), (place, *(f"gitops-{name}-{gitops.cluster}" for name in names)), files


_EACH_KEY = "Each key of an app's Secret has its file below secret/<namespace>/<name>/."


def _seeds(gitops: GitopsClusterPlan, kubeconfig: str) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, str]]:
    """Commands, the graph's names and files of the Secrets that apps ask for."""
    bodies = {
        f"gitops-seeds-{gitops.cluster}-{one.namespace}": manifests.namespace(one.namespace, one.level)
        for one in gitops.seeds
    }
    commands, files = applied(kubeconfig, gitops.cluster, bodies)
    names = list(bodies)
    for one in (one for seed in gitops.seeds for one in seed.secrets):
        keys = " ".join(f"--from-file={key}=secret/{one.called}/{key}" for key in one.keys)
        made = f"create secret generic {one.name} {keys}"
        commands = (*commands, f"kubectl --kubeconfig {kubeconfig} -n {one.namespace} {made}")
        names.append(f"gitops-seed-{gitops.cluster}-{one.namespace}-{one.name}")
    return tuple(commands), tuple(names), files


def _flux(
    plan: Plan, gitops: GitopsClusterPlan, kubeconfig: str, before: tuple[str, ...], files: dict[str, str]
) -> Step:
    """Flux: what it fetches, what it reads that with, and the instance. `before`: its namespace and its operator."""
    cluster, namespace = gitops.cluster, gitops.chart.namespace
    commands, does = list(before), [f"gitops-namespace-{cluster}"]
    if gitops.artefact:
        does.insert(0, f"gitops-artefact-{cluster}")
        commands.insert(0, f"./lab artefact {plan.name} --if-absent # in the checkout")
    named = {SOPS_SECRET: gitops.sops, LOGIN_SECRET: gitops.registry_login}
    for name in sorted(name for name, wanted in named.items() if wanted):
        kind = " --type kubernetes.io/dockerconfigjson" if name == LOGIN_SECRET else ""
        made = f"create secret generic {name}{kind} --from-file={flux.KEYS[name]}=secret/{name}"
        commands.append(f"kubectl --kubeconfig {kubeconfig} -n {namespace} {made}")
        does.append(f"gitops-{name}-{cluster}")
    if gitops.verify_key:
        body = flux.secret(VERIFY_SECRET, namespace, gitops.verify_key)
        key, more = applied(kubeconfig, cluster, {f"gitops-{VERIFY_SECRET}-{cluster}": body})
        commands += key
        files |= more
        does.append(f"gitops-{VERIFY_SECRET}-{cluster}")
    seeded, given, places = _seeds(gitops, kubeconfig)
    commands += seeded
    does += given
    files |= places
    does.append(f"gitops-flux-operator-{cluster}")
    if gitops.instance:
        instance, more = installed(kubeconfig, cluster, gitops.instance)
        commands.append(instance)
        does.append(f"gitops-flux-instance-{cluster}")
        files |= more
    keys = " What is encrypted or asks for a login has its file below secret/." if any(named.values()) else ""
    keys += f" {_EACH_KEY}" if given else ""
    why = f"Flux' operator, then the instance that reads {gitops.repository}.{keys}"
    return Step(f"{cluster}: Flux", why, tuple(commands), tuple(does), files)
