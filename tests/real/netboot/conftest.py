"""Boot networks that tests share: one a module, since bringing one up takes a second."""

from collections.abc import Callable, Iterator

import pytest

from tests.labs import planned, shipped_plan
from tests.real.netboot.site import Site, leasing, site


@pytest.fixture(scope="module")
def proxy_site(tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], str]) -> Iterator[Site]:
    """homelab as it ships: the router leases, our dnsmasq adds boot options."""
    with site(shipped_plan("homelab"), tmp_path_factory.mktemp("proxy"), require_tool) as made:
        made.start_dnsmasq()
        yield made


@pytest.fixture(scope="module")
def server_site(tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], str]) -> Iterator[Site]:
    """homelab whose dnsmasq leases itself."""
    with site(planned(leasing()), tmp_path_factory.mktemp("server"), require_tool) as made:
        made.start_dnsmasq()
        yield made
