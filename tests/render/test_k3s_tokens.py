"""The texts that carry k3s' tokens, run by a real shell on files of their kind."""

from pathlib import Path

import pytest

from render import k3s_tokens
from render.k3s_config import AGENTS_TOKEN
from tests.render.seeds import THREE, servers
from tests.render.test_k3s_gates import run

FIRST, SECOND = servers(THREE)[:2]
PASSWORD = "0123456789abcdef" * 2
AGENTS, SERVERS = (f"K10{'ab' * 32}::{user}:{PASSWORD}\n" for user in ("node", "server"))


def written(folder: Path, token: str) -> Path:
    (folder / "agent-token").write_text(token, encoding="utf-8")
    return folder


def test_the_agents_token_is_printed_and_nothing_else(tmp_path: Path) -> None:
    text = k3s_tokens.agents(FIRST).replace(k3s_tokens.DATA, str(written(tmp_path, AGENTS)))
    done, _ = run(tmp_path, text, 'exec "$@"')
    assert (done.returncode, done.stdout, done.stderr) == (0, AGENTS, "")
    assert k3s_tokens.password(done.stdout) == PASSWORD


@pytest.mark.parametrize("shown", [SERVERS, "", AGENTS[:60]])
def test_what_is_no_token_of_agents_alone_is_printed_nowhere_and_the_mending_is_told(
    tmp_path: Path, shown: str
) -> None:
    """A card from before there was one: k3s shows the servers' token in its place."""
    text = k3s_tokens.agents(FIRST).replace(k3s_tokens.DATA, str(written(tmp_path, shown)))
    done, _ = run(tmp_path, text, 'exec "$@"')
    assert (done.returncode, done.stdout) == (1, "")
    assert "vala-1 has no token for agents alone" in done.stderr
    page = (Path(__file__).parents[2] / "docs" / "day-2" / "ainur.md").read_text(encoding="utf-8")
    assert "\n## A token for agents alone\n" in page
    assert "A token for agents alone" in done.stderr


@pytest.mark.parametrize(("brought", "code"), [(PASSWORD, 0), ("f" * 32, 1)])
def test_a_further_server_must_take_what_the_first_one_takes(tmp_path: Path, brought: str, code: int) -> None:
    kept = written(tmp_path, AGENTS) / "kept"
    kept.write_text(f"{brought}\n", encoding="utf-8")
    text = k3s_tokens.same_for_agents(SECOND).replace(k3s_tokens.DATA, str(tmp_path)).replace(AGENTS_TOKEN, str(kept))
    done, _ = run(tmp_path, text, 'exec "$@"')
    assert done.returncode == code
    assert ("vala-2 takes another token from agents than the first server" in done.stderr) is bool(code)
