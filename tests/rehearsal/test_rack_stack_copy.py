"""The rack's copy of a stack file holds the person's data word for word, and none of their secrets."""

import pytest
import yaml

from rehearsal.stack_copy import NotAStackFile, Sealed, rack_copy, sealed_in

SEALED = Sealed(secrets={"iluvatar:token": "v1:rack", "iluvatar:key": "v1:rack2"}, salt="v1:racksalt")

AS_A_PERSON_HAS_IT = """\
# mine
secretsprovider: passphrase
config:
  # before the token
  iluvatar:token:
    secure: v1:theirs:multi
  other:thing: {secure: "v1:flow"}
  iluvatar:environment: # kept
    name: toy
    mac: 10:20:30:40:50:55
    ports: [1,  2]
    # a comment inside
    motd: |
      two
      lines
encryptionsalt: v1:theirsalt=:v1:x
"""


def test_the_data_is_copied_word_for_word():
    copy = rack_copy(AS_A_PERSON_HAS_IT, SEALED)
    start = AS_A_PERSON_HAS_IT.index("  iluvatar:environment:")
    end = AS_A_PERSON_HAS_IT.index("encryptionsalt:")
    assert AS_A_PERSON_HAS_IT[start:end] in copy


def test_nothing_encrypted_by_the_person_is_copied():
    copy = rack_copy(AS_A_PERSON_HAS_IT, SEALED)
    assert "theirs" not in copy
    assert "v1:flow" not in copy
    assert "secretsprovider" not in copy


def test_the_rack_s_secrets_and_salt_stand_in():
    document = yaml.safe_load(rack_copy(AS_A_PERSON_HAS_IT, SEALED))
    assert document["config"]["iluvatar:token"] == {"secure": "v1:rack"}
    assert document["config"]["iluvatar:key"] == {"secure": "v1:rack2"}
    assert document["encryptionsalt"] == "v1:racksalt"
    assert set(document["config"]) == {"iluvatar:token", "iluvatar:key", "iluvatar:environment"}


def test_what_is_copied_can_be_sealed_from_and_copied_again():
    once = rack_copy(AS_A_PERSON_HAS_IT, SEALED)
    assert rack_copy(once, SEALED) == once


def test_a_last_line_without_its_end_loses_nothing():
    copy = rack_copy("config:\n  iluvatar:environment:\n    name: toy", SEALED)
    assert yaml.safe_load(copy)["config"]["iluvatar:environment"] == {"name": "toy"}


def test_a_secret_at_the_end_is_taken_out_whole():
    """The end mark of a nested block is where the next token starts: once, the entry after a secret went with it."""
    text = "config:\n  a:b:\n    secure: v1:x\n  iluvatar:environment:\n    name: toy\n  c:d:\n    secure: v1:y\n"
    config = yaml.safe_load(rack_copy(text, SEALED))["config"]
    assert config["iluvatar:environment"] == {"name": "toy"}
    assert not {"a:b", "c:d"} & set(config)


@pytest.mark.parametrize("text", ["", "- a", "config:", "config: {}", "config: {a: 1}", "config: [", "x: 1"])
def test_what_is_no_stack_file_is_refused_in_words(text: str):
    with pytest.raises(NotAStackFile):
        rack_copy(text, SEALED)


def test_sealing_reads_what_the_engine_wrote():
    text = "config:\n  iluvatar:key:\n    secure: v1:a\nencryptionsalt: v1:b\n"
    assert sealed_in(text) == Sealed(secrets={"iluvatar:key": "v1:a"}, salt="v1:b")
