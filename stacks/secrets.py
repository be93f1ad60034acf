"""The stack's secrets: which an environment needs, and what a preview does while they are missing.

Owns the keys. Refuses to carry a secret in the environment object, and to touch anything without it: a missing one is
a note in a preview and an error in an `up`.
"""

from dataclasses import dataclass, replace

import pulumi

from model import repository
from model.app_secrets import APPS, example
from model.cloudflare_tokens import PROGRAM, SOLVERS
from model.document import SECRETS
from model.environment import Environment
from model.findings import Finding
from model.flux import LOGIN_SECRET, SOPS_SECRET
from model.onepassword import CREDENTIALS_SECRET, TOKEN_SECRET


@dataclass(frozen=True)
class SecretKey:
    """A stack key that holds a secret."""

    key: str
    """Its name below `iluvatar:`."""
    purpose: str
    """What it is and where to get it."""
    placeholder: str
    """Stands in for it during a preview: well-formed, so that no provider complains, and good for nothing."""
    from_file: str | None = None
    """The file that it is set from, when it is too long for a line."""

    @property
    def command(self) -> str:
        """What the owner types to set it; the value is asked for or read, never an argument."""
        return f"pulumi config set --secret {self.key}" + (f" < {self.from_file}" if self.from_file else "")


_SSH_KEY, _CLOUDFLARE, _DNS, _AGE, _LOGIN, _CREDENTIALS, _TOKEN, _GIT_KEY, _GIT_TOKEN, _APPS = SECRETS

CLOUDFLARE = SecretKey(
    _CLOUDFLARE,
    f"an API token with {PROGRAM.spelled}",
    "0" * 40,
)
DNS_TOKEN = SecretKey(
    _DNS,
    f"an API token of cert-manager's own, with {SOLVERS.spelled} (docs/cloudflare-tokens.md)",
    "0" * 40,
)
SSH_KEY = SecretKey(
    _SSH_KEY,
    "the private half of a key in bootstrap.ssh.authorized_keys",
    "not set: this preview reaches no machine",
    from_file="~/.ssh/id_ed25519",
)
AGE_KEY = SecretKey(
    _AGE,
    "the age key that decrypts the Secrets in gitops/, as `age-keygen` writes it",
    "not set: this preview decrypts nothing",
    from_file="keys.txt",
)
REGISTRY_LOGIN = SecretKey(
    _LOGIN,
    "the login with which Flux pulls, as a Docker configuration with this one entry in auths",
    '{"auths": {}}',
    from_file="config.json",
)
ONEPASSWORD_CREDENTIALS = SecretKey(
    _CREDENTIALS,
    "the credentials of 1Password Connect, as `op connect server create` writes them: the file as it is, not in base64",
    "{}",
    from_file="1password-credentials.json",
)
ONEPASSWORD_TOKEN = SecretKey(
    _TOKEN,
    "the token with which External Secrets asks 1Password Connect, as `op connect token create` prints it",
    "not set: this preview opens no vault",
)
REPOSITORY_KEY = SecretKey(
    _GIT_KEY,
    "the private half of the repository's deploy key, which reads it and writes nothing; without a passphrase",
    "not set: this preview reads no repository",
    from_file="deploy-key",
)
REPOSITORY_TOKEN = SecretKey(
    _GIT_TOKEN,
    "a token that reads the repository and writes nothing",
    "not set: this preview reads no repository",
)
APP_SECRETS = SecretKey(
    _APPS,
    "what the Secrets in gitops.clusters.<cluster>.seeds hold (docs/gitops/secrets.md)",
    "{}",
    from_file="app-secrets.yaml",
)
ALL = (
    *(SSH_KEY, CLOUDFLARE, DNS_TOKEN, AGE_KEY, REGISTRY_LOGIN, ONEPASSWORD_CREDENTIALS, ONEPASSWORD_TOKEN),
    *(REPOSITORY_KEY, REPOSITORY_TOKEN, APP_SECRETS),
)
"""Every secret that some environment needs."""


REPOSITORY = {"deploy-key": REPOSITORY_KEY, "token": REPOSITORY_TOKEN}
"""What `gitops.credentials` asks for."""


def needed(environment: Environment) -> tuple[SecretKey, ...]:
    """The secrets that this environment needs."""
    wanted = []
    if environment.bootstrap:
        wanted.append(SSH_KEY)
    if environment.edge.cloudflare:
        wanted.append(CLOUDFLARE)
    if environment.seeds_dns_token:
        wanted.append(DNS_TOKEN)
    gitops = environment.gitops
    if gitops and gitops.engine == "flux":
        wanted += [AGE_KEY] * (gitops.secrets == "sops")
        wanted += [REGISTRY_LOGIN] * gitops.registry_login
    elif gitops:
        wanted += [ONEPASSWORD_CREDENTIALS, ONEPASSWORD_TOKEN] * (gitops.secrets == "onepassword")
        wanted += [key for kind, key in REPOSITORY.items() if kind == gitops.credentials]
    wanted += [APP_SECRETS] * bool(gitops and gitops.app_secrets)
    return tuple(wanted)


def missing(environment: Environment, present: set[str]) -> list[Finding]:
    """A note for each needed secret that is not among the `present` keys."""
    return [
        Finding("secret-missing", "note", key.key, f"not set yet: {key.purpose}", key.command)
        for key in needed(environment)
        if key.key not in present
    ]


def of_gitops(environment: Environment, config: pulumi.Config) -> dict[str, pulumi.Output[str]]:
    """What Flux decrypts and logs in with, or what opens the vault and the repository, by the name of the Secret that
    holds it; errors as `read`."""
    named = (
        (SOPS_SECRET, AGE_KEY),
        (LOGIN_SECRET, REGISTRY_LOGIN),
        (CREDENTIALS_SECRET, ONEPASSWORD_CREDENTIALS),
        (TOKEN_SECRET, ONEPASSWORD_TOKEN),
        *((repository.REPOSITORY_SECRET, key) for key in REPOSITORY.values()),
        (APPS, APP_SECRETS),
    )
    return {name: read(_told(key, environment), config) for name, key in named if key in needed(environment)}


def _told(key: SecretKey, environment: Environment) -> SecretKey:
    """The key, with a placeholder for each thing that the apps' secret must hold."""
    if key is not APP_SECRETS or environment.gitops is None:
        return key
    return replace(key, placeholder=example(environment.gitops.app_secrets, "not set: this preview writes no Secret"))


def read(key: SecretKey, config: pulumi.Config) -> pulumi.Output[str]:
    """The secret, or in a preview its placeholder; errors: `pulumi.RunError` in an `up` without it."""
    found = config.get_secret(key.key)
    if found is not None:
        return found
    if pulumi.runtime.is_dry_run():
        return pulumi.Output.secret(key.placeholder)
    raise pulumi.RunError(f"{key.key} is not set: {key.purpose}\n  set it: {key.command}")
