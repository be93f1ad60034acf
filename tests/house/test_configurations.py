"""What apps read as their configuration can be read: YAML, once each key. What the keys mean is the app's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from model.yaml_reader import Reader
from tests.labs import ROOT

READ = {
    "authelia/configuration.yml": {"server", "storage", "session", "authentication_backend", "access_control"},
    "fluent-bit/fluent-bit.yaml": {"service", "pipeline"},
    "glance/glance.yml": {"pages"},
    "loki/loki.yaml": {"server", "schema_config"},
}
"""File → what it must say at its top: an empty or shifted file would start the app with its defaults."""


def generated() -> Iterator[Path]:
    """Every YAML file that a kustomization puts into a ConfigMap."""
    for kustomization in sorted((ROOT / "gitops").rglob("kustomization.yaml")):
        for entry in yaml.safe_load(kustomization.read_text(encoding="utf-8")).get("configMapGenerator") or ():
            for file in entry.get("files") or ():
                if file.endswith((".yaml", ".yml")):
                    yield kustomization.parent / file.rpartition("=")[2]


GENERATED = [path.relative_to(ROOT).as_posix() for path in generated()]


@pytest.mark.parametrize("file", GENERATED)
def test_a_configuration_reads_as_yaml_and_says_no_key_twice(file: str) -> None:
    value, repeated = Reader((ROOT / file).read_text(encoding="utf-8")).document()
    assert value, f"{file} says nothing"
    assert not repeated, f"{file} says twice: {repeated}"
    missing = [key for name, keys in READ.items() if file.endswith(name) for key in sorted(keys) if key not in value]
    assert not missing, f"{file} has no {missing}"


def test_every_configuration_that_is_known_is_read() -> None:
    assert not [name for name in READ if not any(file.endswith(name) for file in GENERATED)]


def test_authelia_writes_nothing_beside_its_program() -> None:
    """Its root filesystem is read-only, and it writes its health check's settings to /app unless told not to."""
    text = (ROOT / "gitops/pitower/tower/security/authelia/configuration.yml").read_text(encoding="utf-8")
    assert yaml.safe_load(text)["server"]["disable_healthcheck"] is True
