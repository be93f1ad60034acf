"""homelab with a Maia whose card nobody wrote.

Owns that one edit of its data. Refuses to plan or to judge it.
"""

from typing import Any

from tests.labs import raw

NODE = "maia-2"


def stamped() -> dict[str, Any]:
    """The raw data, the caller's own copy."""
    edited = raw("homelab")
    edited["hardware"]["raspberry-pi-5-8gb"]["disks"]["sd"] = {"kind": "sd", "size_gb": 64, "role": "system"}
    edited["bootstrap"]["nodes"][NODE] |= {"boot": ["sd", "nvme", "poe"], "stamp": True}
    return edited
