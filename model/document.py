"""A stack file's text: read strictly, into exactly the object that the engine reads.

Owns what stands in a stack file: its keys, its secrets' names. Refuses to know what the environment means
(`model.laws`), how YAML is read (`model.yaml_reader`), and to read a disk.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from model.findings import Finding
from model.yaml_reader import Reader, Unreadable

SECRETS = (
    "bootstrapSshKey",
    "cloudflareApiToken",
    "cloudflareDnsToken",
    "sopsAgeKey",
    "registryLogin",
    "onepasswordCredentials",
    "onepasswordToken",
    "gitRepositoryKey",
    "gitRepositoryToken",
    "appSecrets",
)
"""Stack keys that hold a secret, below `iluvatar:`."""
TOP = ("config", "encryptionsalt", "encryptedkey", "secretsprovider", "environment")
"""What Pulumi itself knows in a stack file."""
PROJECT = "iluvatar"


@dataclass(frozen=True)
class Document:
    """A stack file, read."""

    environment: dict[str, Any] | None
    """`iluvatar:environment` as the engine gives it to the program; None when it is not there or cannot be read."""
    secrets: tuple[str, ...] = ()
    """Names of the secret keys that are set, sorted; their values are nobody's business here."""
    findings: tuple[Finding, ...] = ()
    """What is wrong with the document itself; paths are those of the file."""


def parse(text: str, name: str) -> Document:
    """Read the text of a stack file. `name`: the file's name or the stack's, for messages. Pure, and never raises."""
    try:
        value, repeated = Reader(text).document()
    except Unreadable as problem:
        return Document(None, (), (problem.finding,))
    findings = list(repeated)
    if not isinstance(value, dict):
        message = f"{name} is not a stack file: it holds {'nothing' if value is None else 'no mapping'}"
        return Document(
            None, (), (*findings, _finding("document-empty", "config", message, "it begins with `config:`"))
        )
    findings += _unknown(value, TOP, "document-unknown-key", name)
    config = value.get("config")
    if not isinstance(config, dict):
        message = f"{name} has no config"
        return Document(
            None,
            (),
            (
                *findings,
                _finding("document-empty", "config", message, "add config: and below it iluvatar:environment:"),
            ),
        )
    findings += _config_keys(config)
    environment = config.get(f"{PROJECT}:environment")
    findings += _environment(environment, name)
    secrets = tuple(sorted(key for key in SECRETS if _secure(config.get(f"{PROJECT}:{key}"))))
    return Document(environment if isinstance(environment, dict) else None, secrets, tuple(findings))


def _finding(code: str, path: str, message: str, hint: str, grade: str = "error") -> Finding:
    return Finding(code, "warning" if grade == "warning" else "error", path, message, hint)


def _secure(value: object) -> bool:
    """Whether a value is one that `pulumi config set --secret` wrote."""
    return isinstance(value, dict) and set(value) == {"secure"} and isinstance(value["secure"], str)


def _environment(environment: object, name: str) -> Iterator[Finding]:
    path = f"config.{PROJECT}:environment"
    if environment is None:
        hint = "copy it from Pulumi.homelab.yaml and make it yours"
        yield _finding(
            "document-no-environment", path, f"{name} has no {PROJECT}:environment: it describes no lab", hint
        )
    elif not isinstance(environment, dict):
        yield _finding(
            "document-no-environment", path, f"{PROJECT}:environment is no mapping", "write `key: value` lines below it"
        )
    else:
        yield from _hidden_secrets(environment, path)


def _hidden_secrets(environment: dict[str, Any], path: str) -> Iterator[Finding]:
    """Secrets inside the environment object would lose their secrecy (the SDK's `require_object` unwraps them)."""
    stack: list[tuple[str, Any]] = [(path, environment)]
    while stack:
        where, value = stack.pop()
        if _secure(value):
            hint = f"secrets are keys of their own: {', '.join(SECRETS)}"
            yield _finding(
                "document-secret-inside", where, "a secret inside the environment would lose its secrecy", hint
            )
        elif isinstance(value, dict):
            stack += [(f"{where}.{key}", one) for key, one in reversed(value.items())]
        elif isinstance(value, list):
            stack += [(f"{where}.{index}", one) for index, one in reversed(list(enumerate(value)))]


def _config_keys(config: dict[str, Any]) -> Iterator[Finding]:
    known = ("environment", *SECRETS)
    for key, value in config.items():
        namespace, colon, bare = key.partition(":")
        path = f"config.{key}"
        if not colon:
            near = get_close_matches(key, known, 1, 0.6)
            yield _finding(
                "document-config-key",
                path,
                f"'{key[:60]}' has no namespace",
                f"did you mean '{PROJECT}:{near[0] if near else key[:60]}'?",
            )
        elif namespace == PROJECT and bare not in known:
            near = get_close_matches(bare, known, 1, 0.5)
            hint = f"did you mean '{PROJECT}:{near[0]}'?" if near else f"known: {', '.join(known)}"
            yield _finding("document-config-key", path, f"this program reads no '{key[:80]}'", hint)
        elif namespace == PROJECT and bare in SECRETS and not _secure(value):
            yield _finding(
                "secret-in-clear",
                path,
                f"{bare} stands in the file in clear",
                f"pulumi config set --secret {bare}, and count the old one as known",
            )
        elif namespace not in (PROJECT, "pulumi"):
            close = get_close_matches(namespace, (PROJECT,), 1, 0.7)
            hint = f"did you mean '{PROJECT}:{bare[:60]}'?" if close else "leave it out"
            yield _finding(
                "document-foreign-key", path, f"nothing here reads '{key[:80]}'", hint, "error" if close else "warning"
            )


def _unknown(value: dict[str, Any], known: tuple[str, ...], code: str, name: str) -> Iterator[Finding]:
    for key in value:
        if key not in known:
            near = get_close_matches(key, known, 1, 0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
            yield _finding(code, key[:80], f"{name} has no place for '{key[:80]}'", hint)
