"""Settings of a Cloudflare zone: patched, never deleted, and refused where the API refuses them."""

from typing import Any

import pytest

from tests.rehearsal.test_standin_cloudflare import TOKEN, ZONE, Account, at
from tests.rehearsal.worlds import Aborted

SETTING = "cloudflare:index/zoneSetting:ZoneSetting"
__all__ = ["at"]  # the fixture: one provider, configured


def test_a_zone_s_setting_is_set_again_and_again_and_stays_when_it_is_deleted(at: Account):
    news: dict[str, Any] = {"zoneId": ZONE, "settingId": "ssl", "value": "strict"}
    known, made, _ = at.engine.create(SETTING, **news)
    assert (known, made["value"], made["editable"]) == ("ssl", "strict", True)
    assert at.engine.create(SETTING, **news)[0] == "ssl", "there is nothing to adopt: it was always there"
    assert at.update(SETTING, known, made, news | {"value": "full"})["value"] == "full"
    at.delete(SETTING, known, made)
    assert at.world.cloudflare.setting(TOKEN, ZONE, "ssl")["value"] == "full"
    assert at.world.cloudflare.leftovers() == ["cloudflare/zone-setting/ssl"]


@pytest.mark.parametrize(
    ("name", "value", "code"), [("min_tls_version", "1.4", 1007), ("http3", True, 1007), ("speed", "on", 1006)]
)
def test_a_setting_or_value_that_no_zone_has_is_refused(at: Account, name: str, value: Any, code: int):
    with pytest.raises(Aborted, match=str(code)):
        at.engine.create(SETTING, zoneId=ZONE, settingId=name, value=value)


def test_a_setting_is_read_as_every_zone_has_it_until_somebody_sets_it(at: Account):
    state = at.found(SETTING, f"{ZONE}/min_tls_version")
    assert state
    assert state["value"] == "1.0"
