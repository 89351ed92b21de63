"""Ray clusters of several nodes on this machine, for tests."""

import re
from contextlib import contextmanager, suppress

import psutil
import pytest


@contextmanager
def nodes(count, auth_mode):
    """Of one core each; `auth_mode` is "token" or "disabled"."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", auth_mode)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # On a cold disk Ray's server takes longer to start than the half a minute that it is given.
        patch.setenv("RAY_gcs_server_port_wait_time_s", "180")
        from ray.cluster_utils import Cluster

        # A node that is gone is noticed after seconds instead of half a minute.
        config = {"health_check_period_ms": 1000, "health_check_failure_threshold": 4}
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "_system_config": config})
        try:
            for _ in range(count - 1):
                cluster.add_node(num_cpus=1)
            yield cluster
        finally:
            cluster.shutdown()


def processes(node):
    """All that a node runs."""
    (raylet,) = node.all_processes["raylet"]
    parent = psutil.Process(raylet.process.pid)
    return [parent, *parent.children(recursive=True)]


def on(node):
    """Processes that train on a node now, by the number of their trial: they are called what they do."""
    found = {}
    for process in processes(node):
        with suppress(psutil.NoSuchProcess):
            name = re.match(r"ray::trial (\d+)", " ".join(process.cmdline()))
            if name:
                found[int(name[1])] = process
    return found
