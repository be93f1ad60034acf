"""Thin typed resources, where importing an SDK costs more than the few resources we need of it.

Owns tokens, property names and secret outputs, held equal to the SDKs by a test. Refuses behaviour.
"""

from functools import cache
from importlib import metadata


@cache
def version_of(package: str) -> str:
    """The installed version of a provider's Python package: the engine picks the plugin by it."""
    return metadata.version(package)
