"""Spaces that nobody can look at are refused in one line, with their numbers, in a moment."""

import resource
import time

import pytest

from nas.errors import NasError
from nas.files.shipped import shipped
from nas.space import SearchSpace, load_definition, parse_definition
from nas.space.decisions import MOST_STEPS, fewest_steps

CPU_SECONDS, MEGABYTES = 4, 800  # several times what it takes


def peak():
    """Most memory that this process has had, in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def values(most):
    return f"[{', '.join(map(str, range(1, most + 1)))}]"


def stages(count, filters, choose):
    return "head: global_pool\nstages:\n" + f"  - {{filters: {filters}, choose: {choose}}}\n" * count


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (stages(1, values(90_000), "conv"), "at most 20,000 values, 50 deep, are read; simplify the file"),
        (stages(1, "[" + "1," * 300_000 + "2]", "conv"), "at most 20,000 values, 50 deep, are read"),
        (
            stages(3, values(2_000), "conv"),
            r"at most 150,000 steps .* 'space' has at least 16,00\d,\d+ steps, 8,\d+,\d+ of them in stage",
        ),
        (
            stages(
                6,
                values(64),
                "{conv: {kernel: [1, 3, 5], activation: [relu, elu, gelu], normalization: [none, batch]}}",
            ),
            r"'space' has at least \d+,\d+ steps, \d+,\d+ of them in stage\d; give fewer values, such as filters",
        ),
        (
            "head: global_pool\nstages: [{choose: {dense_block: {layers: 1000, growth: 12}}}]",
            r"a block has at most 2,000 layers; dense_block of the space 'space' has \d,\d+; give fewer",
        ),
        (
            f"head: global_pool\nstages: [{{choose: {{dense_block: {{layers: {values(1_000)}, growth: 12}}}}}}]",
            r"a block has at most 2,000 layers; dense_block of the space",
        ),
        (
            "head: global_pool\nstages:\n" + f"  - choose: {{conv: {{filters: {values(4_000)}}}}}\n" * 4,
            "at most 10,000 combinations of options are possible; received 12,000",
        ),
        (
            f"head: global_pool\nstages: [{{filters: {values(64)}, repeat: {values(1_000)}, choose: conv}}]",
            r"'space' has at least 192,064 steps, 191,936 of them in stage1",
        ),
    ],
)
def test_too_much_is_refused_with_its_numbers(text, says):
    started, before = time.process_time(), peak()
    with pytest.raises(NasError, match=says) as caught:
        SearchSpace(parse_definition(text)).size()
    assert "\n" not in str(caught.value)
    assert time.process_time() - started < CPU_SECONDS
    assert peak() - before < MEGABYTES * 1_000


def test_what_only_its_maps_make_too_large_is_refused_on_the_way(monkeypatch):
    space = SearchSpace(load_definition(shipped("search_spaces")["tiny"]))
    monkeypatch.setattr("nas.space.decisions.MOST_STEPS", 5_000)
    with pytest.raises(
        NasError, match=r"at most 5,000 steps .* 'tiny' has 5,0\d\d steps and \d+,\d+ layers before all"
    ):
        space.size()


@pytest.mark.parametrize("name", ["bottleneck", "inception", "mixed", "plain", "tiny"])
def test_what_ships_is_far_from_the_bound(name):
    assert sum(fewest_steps(load_definition(shipped("search_spaces")[name]))) < MOST_STEPS / 10


@pytest.mark.parametrize("name", ["inception", "tiny"])
def test_no_more_is_told_from_a_file_than_there_is(name):
    definition = load_definition(shipped("search_spaces")[name])
    decisions = SearchSpace(definition).decisions
    assert sum(fewest_steps(definition)) < sum(len(decisions.choices(state)) for state in decisions.states())
