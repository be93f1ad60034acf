"""One table of what each token may: the page, the preview's note and the rack say the same."""

from model.cloudflare_tokens import PROGRAM, SOLVERS, TOKENS, table
from rehearsal.world import cloudflare_door
from stacks.secrets import CLOUDFLARE, DNS_TOKEN
from tests.labs import ROOT


def test_the_page_has_the_table():
    assert f"\n{table()}\n" in (ROOT / "docs" / "cloudflare-tokens.md").read_text(encoding="utf-8")


def test_a_preview_names_every_permission_of_the_missing_token():
    for key, token in ((CLOUDFLARE, PROGRAM), (DNS_TOKEN, SOLVERS)):
        assert key.key == token.secret
        for permission in token.permissions:
            assert f"{permission.group}:{permission.level}" in key.purpose
    manual = (ROOT / "docs" / "real-machines.md").read_text(encoding="utf-8")
    assert all(f"`{each.group}:{each.level}`" in manual for each in PROGRAM.permissions)


def test_the_rack_lets_each_token_do_exactly_what_the_table_says():
    told = {cloudflare_door.PROGRAM: PROGRAM, cloudflare_door.SOLVERS: SOLVERS}
    assert len(told) == len(TOKENS)
    for whose, token in told.items():
        assert set(cloudflare_door.PERMISSIONS[whose]) == {each.whole for each in token.permissions}
