"""A search whose space is one network: a reference network trained like any other point."""

from __future__ import annotations

import logging
from typing import Any

from nas.files.shipped import find_space
from nas.space import load_definition

logger = logging.getLogger(__name__)


def one_network_settings(space: str) -> dict[str, Any]:
    """What changes in an experiment that is given this space: nothing, unless the space is one network.

    Then there is one trial, and the experiment's budget, which was meant for its own space, does not bind it. What the
    user says explicitly comes after these settings.

    Raises:
        FileError: there is no such space, or it has a mistake.
    """
    if not load_definition(find_space(space)).is_one_network:
        return {}
    logger.info("%s is one network: one trial, without the experiment's budget", space)
    return {"trials": 1, "budget": {}}
