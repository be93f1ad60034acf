"""What cloud-init reads out of a seed: NoCloud's user-data and meta-data.

Owns the reading, with cloud-init's own words for what it passes over. It refuses to act on it (``host_boot``), and
network-config: how a Pi gets its address is a fact of the World.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

FIRST_LINE = "#cloud-config"
_KEYS = (
    "allow_public_ssh_keys ansible apk_repos apt apt_pipelining apt_reboot_if_required apt_update "
    "apt_upgrade authkey_hash autoinstall bootcmd byobu_by_default ca-certs ca_certs chef chpasswd "
    "cloud_config_modules cloud_final_modules cloud_init_modules create_hostname_file device_aliases "
    "disable_ec2_metadata disable_root disable_root_opts disk_setup drivers fan final_message fqdn "
    "fs_setup groups growpart grub-dpkg grub_dpkg hostname keyboard landscape launch-index locale "
    "locale_configfile lxd manage_etc_hosts manage_resolv_conf mcollective merge_how merge_type migrate "
    "mount_default_fields mounts no_ssh_fingerprints ntp output package_reboot_if_required package_update "
    "package_upgrade packages password phone_home power_state prefer_fqdn_over_hostname preserve_hostname "
    "puppet random_seed reporting resize_rootfs resolv_conf rh_subscription rsyslog runcmd salt_minion "
    "snap spacewalk ssh ssh_authorized_keys ssh_deletekeys ssh_fp_console_blacklist ssh_genkeytypes "
    "ssh_import_id ssh_key_console_blacklist ssh_keys ssh_publish_hostkeys ssh_pwauth ssh_quiet_keygen "
    "swap system_info timezone ubuntu_advantage ubuntu_pro updates user users vendor_data version "
    "wireguard write_files yum_repo_dir yum_repos zypper"
)
"""Top-level keys of a cloud-config (``cloudinit/config/schemas/schema-cloud-config-v1.json``)."""
_DEFAULT_USER = "ubuntu"
"""Whom Ubuntu's image makes where a seed names nobody (its ``/etc/cloud/cloud.cfg``, ``system_info``)."""


@dataclass(frozen=True)
class Written:
    """One entry of ``write_files``; ``mode`` is four octal digits."""

    path: str
    content: str
    mode: str
    owner: str
    append: bool
    deferred: bool


@dataclass(frozen=True)
class Seed:
    """What cloud-init would do. ``told`` is what it says of parts that it passes over, one sentence each."""

    told: tuple[str, ...] = ()
    instance: str = ""
    hostname: str = "ubuntu"
    users: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """User → public keys that may log in as that."""
    written: tuple[Written, ...] = ()
    bootcmd: tuple[list[str] | str, ...] = ()
    runcmd: tuple[list[str] | str, ...] = ()
    host_key: str | None = None
    """The public half of the host key that it carries."""
    generates: tuple[str, ...] = ("rsa", "ecdsa", "ed25519")
    """The kinds of host keys that cloud-init makes where the seed carries none."""


def read(files: dict[str, str]) -> Seed:
    """What the files of a seed (``user-data``, ``meta-data`` by name) make cloud-init do."""
    meta, meta_told = _mapping(files.get("meta-data", ""), "meta-data")
    text = files.get("user-data", "")
    if text.splitlines()[:1] != [FIRST_LINE]:
        head = text[:24].encode()
        told = (
            f"Unhandled non-multipart (text/x-not-multipart) userdata: '{head!r}...': its first line is no {FIRST_LINE}"
        )
        return Seed((*meta_told, told), str(meta.get("instance-id", "")), users={_DEFAULT_USER: ()})
    vendor, _ = _mapping(files.get("vendor-data", ""), "vendor-data")
    own, told_of_config = _mapping(text, "user-data")
    config = vendor | own  # cloud-init takes a vendor's key only where the user has none of it
    unknown = [
        f"cloud-config failed schema validation! {name}: no such key" for name in config if name not in _KEYS.split()
    ]
    written, told_of_files = _written(config.get("write_files") or [])
    keys = config.get("ssh_keys") or {}
    return Seed(
        told=(*meta_told, *told_of_config, *unknown, *told_of_files),
        instance=str(meta.get("instance-id", "")),
        hostname=str(config.get("hostname") or meta.get("local-hostname") or "ubuntu"),
        users=dict(_users(config)),
        written=tuple(written),
        bootcmd=tuple(config.get("bootcmd") or ()),
        runcmd=tuple(config.get("runcmd") or ()),
        generates=tuple(config.get("ssh_genkeytypes", Seed.generates)),
        host_key=str(keys["ed25519_public"]).strip() if "ed25519_public" in keys else None,
    )


def _mapping(text: str, name: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    try:
        found = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        return {}, (f"Failed loading yaml blob. {name}: {' '.join(str(error).split())}",)
    if not isinstance(found, dict):
        return {}, (f"Failed loading yaml blob. {name}: expected a dict, got {type(found).__name__}",)
    return found, ()


def _users(config: dict[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    everybodys = tuple(config.get("ssh_authorized_keys") or ())
    for each in config.get("users", ["default"]):
        if each == "default":
            yield str(config.get("user") or _DEFAULT_USER), everybodys
        elif isinstance(each, dict) and "name" in each:
            yield str(each["name"]), tuple(each.get("ssh_authorized_keys") or ())


def _written(entries: list[Any]) -> tuple[list[Written], list[str]]:
    found, told = [], []
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or not entry.get("path"):
            told.append(f"No path provided to write for entry {number} in module write_files")
            continue
        mode = entry.get("permissions", "0644")
        octal = f"{mode:04o}" if isinstance(mode, int) else str(mode)
        if not octal.isdigit() or set(octal) & set("89"):
            told.append(f"Undecodable permissions '{mode}', returning default 0644: {entry['path']}")
            octal = "0644"
        owner = str(entry.get("owner", "root:root")).partition(":")[0]
        content = _decoded(str(entry.get("content", "")), str(entry.get("encoding", "text/plain")))
        if content is None:
            told.append(f"write_files: {entry['path']}: content is not {entry['encoding']}")
            continue
        deferred, append = bool(entry.get("defer")), bool(entry.get("append"))
        found.append(Written(str(entry["path"]), content, octal.rjust(4, "0"), owner, append, deferred))
    return found, told


def _decoded(content: str, encoding: str) -> str | None:
    if encoding.lower() in ("b64", "base64"):
        try:
            return base64.b64decode(content, validate=True).decode("utf-8", "surrogateescape")
        except binascii.Error:
            return None
    return content if encoding == "text/plain" else None
