"""A configuration is patched by Talos' own rules, and read as Go reads it."""

import pytest

from rehearsal.world import talos_config
from rehearsal.world.errors import Refusal
from rehearsal.world.talos_keys import kinds, unknown_keys


def test_lists_are_appended_across_patches_but_for_the_few_that_replace():
    base = {"machine": {"certSANs": ["a"]}, "cluster": {"network": {"podSubnets": ["10.244.0.0/16"]}}}
    merged = talos_config.patched(
        [base], ["machine: {certSANs: [b]}", "cluster: {network: {podSubnets: [10.1.0.0/16]}}"]
    )
    assert merged[0]["machine"]["certSANs"] == ["a", "b"]
    assert merged[0]["cluster"]["network"]["podSubnets"] == ["10.1.0.0/16"]


def test_documents_merge_by_kind_and_name_and_a_patch_can_delete():
    base = talos_config.parse("apiVersion: v1alpha1\nkind: LinkConfig\nname: a\nmtu: 1500\n")
    other = "apiVersion: v1alpha1\nkind: LinkConfig\nname: b\nup: true\n"
    same = "apiVersion: v1alpha1\nkind: LinkConfig\nname: a\nup: true\n"
    gone = "apiVersion: v1alpha1\nkind: LinkConfig\nname: b\n$patch: delete\n"
    merged = talos_config.patched(base, [other, same])
    assert [(document["name"], document.get("mtu")) for document in merged] == [("a", 1500), ("b", None)]
    assert [document["name"] for document in talos_config.patched(merged, [gone])] == ["a"]


def test_a_label_is_deleted_by_patch_and_an_empty_value_changes_nothing():
    base = [{"machine": {"nodeLabels": {"a": "1", "b": ""}, "token": "t"}}]
    merged = talos_config.patched(base, ["machine: {token: '', nodeLabels: {b: {$patch: delete}}}"])
    assert merged == [{"machine": {"nodeLabels": {"a": "1"}, "token": "t"}}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("machine: [", "yaml: line"),
        ("machine: {}\nmachine: {}", "already defined"),
        ("- op: add", "JSON6902 patches are not supported for multi-document machine configuration"),
        ("a word", "missing kind"),
        ("kind: LinkConfg\napiVersion: v1alpha1", '"LinkConfg" "v1alpha1": not registered'),
        ("machine: {instal: {}}", r"unknown keys found during decoding:\nmachine\.instal"),
        ("kind: LinkConfig\napiVersion: v1alpha1\nnam: a", "nam"),
    ],
)
def test_a_patch_that_talos_cannot_read_is_refused(text: str, words: str):
    with pytest.raises(Refusal, match=words):
        talos_config.patched([{"machine": {}}], [text])


def test_unquoted_off_is_the_word_off_as_it_is_to_go():
    document = talos_config.parse("apiVersion: v1alpha1\nkind: HostnameConfig\nauto: off\nhostname: a")[0]
    assert document["auto"] == "off"


def test_the_documents_of_talos_1_12_are_known():
    assert {"HostnameConfig", "LinkConfig", "Layer2VIPConfig", "UserVolumeConfig", "VolumeConfig"} <= kinds()
    assert unknown_keys({"machine": {"network": {"hostname": "deprecated, and still decoded"}}}) == []
