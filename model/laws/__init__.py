"""The laws: what an environment must be besides well-shaped. Importing a realm's module registers its laws.

Owns the list of laws and the one door, `examine`. Refuses to plan anything, and to read a disk: the GitOps tree is
handed in.
"""

from model.laws import (
    announced,
    app_folders,
    bootstrap,
    bootstrap_apps,
    cilium,
    cilium_values,
    closure,
    cluster,
    downloads,
    edge,
    flux,
    flux_needs,
    folders,
    gitops,
    handover,
    hardware,
    hosts,
    identity,
    k3s,
    layers,
    leaving,
    manifests,
    names,
    network,
    plain_secrets,
    ports,
    power,
    ranges,
    serving,
    settings,
    storage,
    upgrades,
    vault,
    versions,
)
from model.laws.examination import Examination, examine
from model.laws.registry import LAWS, Law

REALMS = (
    network,
    ranges,
    ports,
    power,
    serving,
    downloads,
    announced,
    names,
    hardware,
    versions,
    bootstrap,
    k3s,
    cluster,
    leaving,
    upgrades,
    layers,
    settings,
    cilium,
    edge,
    storage,
    gitops,
    folders,
    manifests,
    flux,
    plain_secrets,
    vault,
    cilium_values,
    closure,
    hosts,
    identity,
    bootstrap_apps,
    app_folders,
    handover,
    flux_needs,
)
"""Every module that holds laws."""

__all__ = ["LAWS", "REALMS", "Examination", "Law", "examine"]
