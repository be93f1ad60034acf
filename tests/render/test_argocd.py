"""Argo CD's seed: nothing that it seeds deletes what runs, and every application waits as long as it must."""

import pytest

from render.argocd import SYNC_OPTIONS, application_set
from tests.labs import shipped_plan


@pytest.mark.parametrize("lab", ["homelab", "pitower"])
def test_no_set_takes_along_what_its_applications_run(lab: str) -> None:
    """Without this an ApplicationSet gives each Application a finalizer, by which its volumes go with it."""
    plans = shipped_plan(lab).gitops
    sets = [application_set(one, category, folder) for one in plans for category, folder in one.categories]
    assert sets
    for one in sets:
        assert one["spec"]["syncPolicy"] == {"preserveResourcesOnDeletion": True}
        assert "finalizers" not in one["spec"]["template"]["metadata"]


@pytest.mark.parametrize("lab", ["homelab", "pitower"])
def test_no_application_is_given_up_and_one_missing_kind_keeps_nothing_out(lab: str) -> None:
    for one in shipped_plan(lab).gitops:
        for category, folder in one.categories:
            policy = application_set(one, category, folder)["spec"]["template"]["spec"]["syncPolicy"]
            assert policy["retry"]["limit"] < 0
            assert set(policy["syncOptions"]) == set(SYNC_OPTIONS) >= {"SkipDryRunOnMissingResource=true"}
