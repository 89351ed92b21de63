"""A search whose space is one network: a reference network trained like any other point."""

from __future__ import annotations

import logging
from typing import Any

from nas.files.shipped import find_space
from nas.space import Definition, load_definition

logger = logging.getLogger(__name__)


def one_network_settings(space: str | Definition) -> dict[str, Any]:
    """What changes in an experiment that is given this space: nothing, unless the space is one network.

    Then there is one trial, and the experiment's budget, which was meant for its own space, does not bind it. What the
    user says explicitly comes after these settings.

    Raises:
        FileError: there is no such space, or it has a mistake.
    """
    definition = load_definition(find_space(space)) if isinstance(space, str) else space
    if not definition.is_one_network:
        return {}
    name = space if isinstance(space, str) else space.name
    logger.info("%s is one network: one trial, without the experiment's budget", name)
    return {"trials": 1, "budget": {}}
