"""Charts that this program installs first and GitOps adopts.

Owns the seed's rules. Refuses to fight for it: what Git owns, this program neither reverts nor uninstalls.
"""

import pulumi

from components.bindings.kubernetes import Release
from model.tree import Chart

GITS = ["chart", "version", "values", "repositoryOpts"]
"""What Git decides from the hand-over on."""


def seed(name: str, chart: Chart, opts: pulumi.ResourceOptions, *, adopted: bool, awaited: bool = True) -> Release:
    """Install a chart exactly as its folder pins it.

    `adopted`: a GitOps engine reconciles that folder. `awaited`: it stands only when all its pods do.
    """
    properties: dict[str, object] = {
        "chart": f"{chart.repository}/{chart.name}" if chart.oci else chart.name,
        "version": chart.version,
        "name": chart.release,
        "namespace": chart.namespace,
        "values": dict(chart.values),
        "timeout": 900,
        # A create that was cut off is created again: objects it left behind are its own
        "takeOwnership": True,
        "compat": "true",
    }
    if not awaited:
        properties["skipAwait"] = True
    if not chart.oci:
        properties["repositoryOpts"] = {"repo": chart.repository}
    ours = pulumi.ResourceOptions(
        retain_on_delete=adopted,
        ignore_changes=GITS if adopted else [],
        custom_timeouts=pulumi.CustomTimeouts(create="20m", update="20m"),
    )
    return Release(name, properties, pulumi.ResourceOptions.merge(opts, ours))
