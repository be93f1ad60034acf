"""The JSON Schema of a stack file, for editors: the same shapes that the door checks, described by their docstrings.

Owns the schema's text. Refuses to write it anywhere: docs/stack.schema.json is committed, and a test holds it fresh.
"""

import json
from typing import Any

from model.document import PROJECT, SECRETS
from model.environment import Environment

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema of a whole stack file."""
    environment = Environment.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
    definitions = environment.pop("$defs")
    definitions["Environment"] = environment
    secret = {
        "type": "object",
        "description": "A secret, written by `pulumi config set --secret` and encrypted; never type it here.",
        "properties": {"secure": {"type": "string", "description": "What Pulumi encrypted."}},
        "required": ["secure"],
        "additionalProperties": False,
    }
    keys: dict[str, Any] = {f"{PROJECT}:{name}": secret for name in SECRETS}
    keys[f"{PROJECT}:environment"] = {"$ref": "#/$defs/Environment"}
    return {
        "$schema": DIALECT,
        "title": "A lab",
        "description": "A stack file of Project Ilúvatar: one lab as data. `./lab check FILE` knows more.",
        "type": "object",
        "properties": {
            "config": {"type": "object", "description": "The stack's configuration.", "properties": keys},
            "encryptionsalt": {"type": "string", "description": "Written by Pulumi: the salt of its passphrase."},
            "encryptedkey": {"type": "string", "description": "Written by Pulumi: the key of its secrets, encrypted."},
            "secretsprovider": {"type": "string", "description": "Written by Pulumi: who keeps that key."},
            "environment": {"description": "Environments of Pulumi Cloud that this stack imports."},
        },
        "required": ["config"],
        "additionalProperties": False,
        "$defs": definitions,
    }


def text() -> str:
    """The schema as it stands in docs/stack.schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
