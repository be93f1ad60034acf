"""A Pi that writes its own card: what it is served to do so, and what the card then is; nothing else, and no secret."""

import re
from dataclasses import replace

import yaml

from foresight import boot, boot_manifest
from foresight.boot_chain import Chain
from foresight.boot_stamp import ON_THE_CARD
from model.ainur import BootstrapNodePlan
from model.environment import Environment
from model.plan import Plan
from render import boot_files, cloud_init, cloud_init_files, files, k3s_config, pi_card
from tests.labs import ROOT, planned
from tests.stamped import NODE, stamped

PLAN = planned(stamped())


def node(plan: Plan = PLAN) -> BootstrapNodePlan:
    assert plan.bootstrap
    return next(one for one in plan.bootstrap.nodes if one.name == NODE)


def written(seed: dict[str, str]) -> dict[str, str]:
    return {one["path"]: one["content"] for one in yaml.safe_load(seed["user-data"])["write_files"]}


SEED = cloud_init.stamping_seed(PLAN, node())


def test_the_seed_that_writes_a_card_has_no_k3s_and_nothing_to_join_with() -> None:
    placed = written(SEED)
    assert k3s_config.FILE not in placed
    assert not [path for path in placed if "k3s" in path or "token" in path or "pki" in path]
    (enabled,) = [
        line[3:] for line in yaml.safe_load(SEED["user-data"])["runcmd"] if line[:2] == ["systemctl", "enable"]
    ]
    assert enabled == [f"ilmarin-{job}.service" for job in cloud_init_files.STAMPING_JOBS]
    for job in cloud_init_files.STAMPING_JOBS:
        assert f"{cloud_init_files.SCRIPTS}/{job}.sh" in placed


def test_its_settings_are_all_that_its_scripts_ask_for() -> None:
    told = dict(line.split("=", 1) for line in written(SEED)[cloud_init_files.SETTINGS].splitlines())
    for job in cloud_init_files.STAMPING_JOBS:
        script = (ROOT / f"render/pi/scripts/{job}.sh").read_text()
        (keys,) = re.findall(r"^for key in ([A-Z0-9_ ]+); do$", script, re.MULTILINE) or [""]
        assert set(keys.split()) <= set(told), job
    assert told["CARD"] == "no", "it came up from the network, and keeps its host key on its NVMe"


def test_the_card_is_another_instance_and_the_very_card_that_render_writes() -> None:
    assert PLAN.network.netboot
    served = boot_files.seeds(PLAN, PLAN.network.netboot)
    own = node()
    card = {path.partition("/")[2]: text for path, text in served.items() if path.startswith(f"{own.folder}-card/")}
    assert card == pi_card.files(PLAN, own)
    assert set(card) == set(ON_THE_CARD)
    assert yaml.safe_load(card["meta-data"])["instance-id"] != yaml.safe_load(SEED["meta-data"])["instance-id"]
    assert pi_card.HOST_KEY not in card, "the Pi makes it, and nobody serves it"
    made = files.files(PLAN)
    assert {path.split("/")[2] for path in made if path.startswith(f"ainur/{NODE}/")} == {"card", "netboot"}


def test_the_script_fetches_each_file_of_the_card() -> None:
    script = (ROOT / "render/pi/scripts/stamp.sh").read_text()
    assert f"files='{' '.join(ON_THE_CARD)}'" in script


def test_ssh_answers_beside_port_22_while_the_card_is_written_and_at_22_from_the_card() -> None:
    assert f"\nPort {cloud_init_files.STAMPING_PORT}\n" in written(SEED)["/etc/ssh/sshd_config.d/00-ilmarin.conf"]
    card = written(pi_card.files(PLAN, node()))
    assert "Port" not in card["/etc/ssh/sshd_config.d/00-ilmarin.conf"]


def test_every_name_is_a_key_that_a_configmap_may_have() -> None:
    assert all(re.fullmatch(r"[-._a-zA-Z0-9]+", name) for name in boot_files.published(PLAN)["pi-seed"])


def chain(served: boot_manifest.Served | None = None) -> Chain:
    proof = boot.prove(Environment.model_validate(stamped()), PLAN, served)
    return next(one for one in proof.chains if one.machine == NODE)


def test_the_proof_walks_from_a_blank_card_to_the_card_s_own_system() -> None:
    walked = chain()
    assert not walked.troubles
    assert "boots the SD card" in walked.steps[-1].says
    asked = [one.name for one in walked.requests if one.found]
    assert [name for name in asked if name.endswith(".img.xz")] == ["/pi/790652faeb4f.img.xz"]


def test_the_proof_says_what_a_card_lacks() -> None:
    served = boot_manifest.served(PLAN)
    assert served
    lost = f"/pi/{node().folder}-card/config.txt"
    without = replace(served, http={path: one for path, one in served.http.items() if path != lost})
    (trouble,) = chain(without).troubles
    assert (trouble.code, lost in trouble.message) == ("boot-missing-file", True)
    blind = replace(served, http={**served.http, f"/pi/{node().folder}/user-data": boot_manifest.Content("text")})
    (trouble,) = chain(blind).troubles
    assert trouble.code == "boot-seed-missing"
    assert "says no IMAGE_URL and no SEED_URL" in trouble.message
