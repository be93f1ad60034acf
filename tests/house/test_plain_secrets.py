"""No secret lies in Git in clear: what is committed under gitops/ is read here without the program's own rules."""

import base64
import re
import subprocess

import pytest
import yaml

from tests.labs import ROOT

FILES = subprocess.run(
    ["git", "ls-files", "-z", "--", "gitops"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.split("\0")
TELLING = re.compile(
    r"BEGIN[A-Z ]*PRIVATE|AGE-SECRET-KEY-|\bgh[opsu]_\w{20}|\bglpat-|\bxox[abp]-|\bAKIA[0-9A-Z]{12}|\beyJhbGciOi"
)
"""How private keys and tokens begin; the last is a JSON Web Token."""


def committed() -> list[str]:
    return [name for name in FILES if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("name", committed())
def test_a_file_of_gitops_holds_nothing_secret(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not TELLING.search(text), f"{name} holds a key or a token"
    for word in re.findall(r"[A-Za-z0-9+/]{40,}={0,2}", text):
        try:
            inner = base64.b64decode(word, validate=True).decode("latin-1")
        except ValueError:
            continue
        assert not TELLING.search(inner), f"{name} holds a key or a token in base64"
    if not name.endswith((".yaml", ".yml")):
        return
    for document in yaml.safe_load_all(text):
        if isinstance(document, dict) and document.get("kind") == "Secret":
            given = [*(document.get("data") or {}).values(), *(document.get("stringData") or {}).values()]
            plain = [one for one in given if not str(one).startswith("ENC[")]
            assert not plain, f"{name}: a Secret in clear"
            assert not given or "sops" in document, f"{name}: encrypted, and nothing says how"


def test_there_is_something_to_read() -> None:
    assert len(committed()) > 20
