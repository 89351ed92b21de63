"""Which searches can be compared, over which ranges of interest, and in what else they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nas.errors import NasError
from nas.results.front_comparison import Comparison
from nas.tuning.facts import SearchFacts
from nas.tuning.search import Search

ALIKE = {
    *("name", "description", "dataset.data_dir"),
    *("engine", "ray_address", "workers", "device", "gpus_per_trial", "trials_per_gpu", "tpu_runtime", "trial_timeout"),
}
"""Settings that leave the numbers as they are."""


def compare(searches: Sequence[Search]) -> Comparison:
    """Several searches side by side, over ranges of interest that hold those of all.

    Raises:
        NasError: there are fewer than two, one is named twice, or they differ in data, objectives or, for measured
            costs, the machine.
    """
    first, names = searches[0], [search.name for search in searches]
    if len(set(names)) < len(names):
        raise NasError(f"a comparison names each search once; received {', '.join(names)}")
    if not all(_same_images(search.facts, first.facts) for search in searches):
        told = ", ".join(
            f"{search.name}: {search.facts.dataset} of {'x'.join(map(str, search.facts.input_shape))}"
            for search in searches
        )
        raise NasError(f"only searches on the same images can be compared; received {told}")
    if len({search.experiment.objectives for search in searches}) > 1:
        told = "; ".join(f"{search.name}: {', '.join(search.experiment.objectives)}" for search in searches)
        raise NasError(f"only searches with the same objectives can be compared; received {told}")
    measured = [cost.name for cost in first.objectives.costs if cost.is_time]
    if measured and len({search.facts.machine for search in searches}) > 1:
        told = "; ".join(f"{search.name}: {search.facts.machine}" for search in searches)
        raise NasError(f"only searches that measured {measured[0]} on one machine can be compared; received {told}")
    each = [search.objectives for search in searches]
    ranges = {
        cost: (min(of.interest[cost][0] for of in each), max(of.interest[cost][1] for of in each))
        for cost in first.objectives.costs
    }
    shared = replace(
        first.objectives, interest=ranges, floor=min(of.floor for of in each), finest=min(of.finest for of in each)
    )
    return Comparison.of({search.name: search.trials for search in searches}, shared)


def differences(searches: Sequence[Search]) -> dict[str, tuple[str, ...]]:
    """In what searches differ that shapes their numbers: by setting, what each has, in words.

    Data that go by the same name and are not the same count, too, as the first figures of a split's digest.
    """
    told = [dict(_settings(search.experiment.model_dump(mode="json"))) for search in searches]
    for search, settings in zip(searches, told, strict=True):
        settings |= {f"{split} images": f"digest {digest[:8]}" for split, digest in search.facts.data.items()}
    keys = [key for key in dict.fromkeys(key for settings in told for key in settings) if key not in ALIKE]
    rows = {key: tuple(settings.get(key, "-") for settings in told) for key in keys}
    return {key: values for key, values in rows.items() if len(set(values)) > 1}


def _settings(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in nested.items():
        if isinstance(value, Mapping):
            yield from _settings(value, f"{prefix}{key}.")
        else:
            words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{prefix}{key}", "-" if value in (None, []) else words


def _same_images(some: SearchFacts, others: SearchFacts) -> bool:
    """By their name, or by what validates, as one folder may have been named in several ways."""
    same = some.data.get("validation", "") == others.data.get("validation")
    return some.input_shape == others.input_shape and (same or some.dataset == others.dataset)
