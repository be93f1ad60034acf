"""kube-vip's manifests: each address is held by whoever answers at it, and nobody takes one unasked."""

from typing import Any

import yaml

from render import kube_vip

VIP, INGRESS = "192.168.1.58", "192.168.1.57"
FILES = kube_vip.files(VIP, INGRESS, "v1.2.3")
OBJECTS = {one["kind"]: one for text in FILES.values() for one in yaml.safe_load_all(text)}


def _pod() -> dict[str, Any]:
    return OBJECTS["DaemonSet"]["spec"]["template"]["spec"]


def _told() -> dict[str, str | None]:
    return {one["name"]: one.get("value") for one in _pod()["containers"][0]["env"]}


def test_only_servers_hold_an_address_and_they_do_so_however_they_are_tainted() -> None:
    assert _pod()["nodeSelector"] == {"node-role.kubernetes.io/control-plane": "true"}
    assert {"operator": "Exists"} in _pod()["tolerations"]
    assert _pod()["hostNetwork"]


def test_the_api_s_address_is_held_by_one_that_reaches_its_own_api_server() -> None:
    told = _told()
    assert (told["address"], told["cp_enable"], told["vip_leaderelection"]) == (VIP, "true", "true")
    assert told["KUBERNETES_SERVICE_HOST"] == "127.0.0.1"


def test_services_are_elected_for_one_by_one() -> None:
    """Without it one election decides for all, and an address stands where the pod behind it is not ready."""
    assert (_told()["svc_enable"], _told()["svc_election"]) == ("true", "true")


def test_the_lease_is_renewed_well_before_it_ends() -> None:
    lease, renew, retry = (int(_told()[f"vip_{key}"] or 0) for key in ("leaseduration", "renewdeadline", "retryperiod"))
    assert lease > renew > retry > 0


def test_every_setting_is_text_as_kubernetes_wants_it() -> None:
    assert all(isinstance(one, str) for name, one in _told().items() if name != "vip_nodename")


def test_traefik_asks_for_exactly_the_ingress_address() -> None:
    values = yaml.safe_load(OBJECTS["HelmChartConfig"]["spec"]["valuesContent"])
    assert values == {"service": {"annotations": {kube_vip.ADDRESSES: INGRESS}}}
    metadata = OBJECTS["HelmChartConfig"]["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("traefik", "kube-system"), "k3s reads no other"


def test_no_file_has_a_name_that_k3s_overwrites() -> None:
    """k3s writes its own manifests into the same folder at every start (its `manifests/` folder)."""
    own = {"ccm.yaml", "coredns.yaml", "local-storage.yaml", "rolebindings.yaml", "runtimes.yaml", "traefik.yaml"}
    assert not own & set(FILES)


def test_the_image_is_the_pinned_release() -> None:
    assert _pod()["containers"][0]["image"].endswith("/kube-vip:v1.2.3")


def test_kube_vip_may_do_what_its_elections_need_and_read_no_secret() -> None:
    rules = OBJECTS["ClusterRole"]["rules"]
    granted = {(kind, verb) for rule in rules for kind in rule["resources"] for verb in rule["verbs"]}
    assert {("leases", "create"), ("leases", "update"), ("endpointslices", "watch")} <= granted
    assert not {kind for kind, _ in granted} & {"secrets", "configmaps", "*"}
