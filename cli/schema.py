"""`./lab schema`: the JSON Schema of a stack file, for an editor.

Owns wrapping the environment's schema into a stack file's. Refuses to add a rule: the shape is `model.environment`'s.
"""

from __future__ import annotations

import json
from typing import Any

from model.environment import Environment

FINE = 0
ENVIRONMENT_KEY = "iluvatar:environment"


def schema() -> int:
    """Print the schema."""
    print(json.dumps(stack_schema(), indent=2, ensure_ascii=False))
    return FINE


def stack_schema() -> dict[str, Any]:
    """The schema of a whole stack file. Only the environment is described: the rest of such a file is Pulumi's."""
    environment = Environment.model_json_schema()
    definitions = environment.pop("$defs", {})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A stack file of Project Ilúvatar",
        "type": "object",
        "required": ["config"],
        "properties": {
            "config": {"type": "object", "required": [ENVIRONMENT_KEY], "properties": {ENVIRONMENT_KEY: environment}}
        },
        "$defs": definitions,
    }
