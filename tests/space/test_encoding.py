"""Architectures as named decisions, and back."""

import random

import pytest

from nas.architecture import Architecture, Budget
from nas.space import SearchSpace, load_space, parse_definition
from nas.space.encoding import EncodingError

TEXT = """
input: 8x8x1
classes: 2
stages:
  - repeat: [0, 1, 2]
    filters: [4, 8]
    downsample: [none, max_pool, stride]
    choose:
      - conv: {kernel: [1, 3], padding: [same, valid]}
      - bottleneck: {squeeze: [1/4, 1/2]}
head: {global_pool: {pool: [average, max]}}
"""


@pytest.fixture(scope="module")
def small():
    return SearchSpace(parse_definition(TEXT))


def architecture(*blocks):
    head = {"kind": "global_pool", "classes": 2}
    return Architecture.from_dict({"format": 1, "input_shape": [8, 8, 1], "blocks": [*blocks, head]})


def test_genes_by_hand(small):
    blocks = ({"kind": "bottleneck", "filters": 8, "squeeze": 2}, {"kind": "conv", "filters": 8, "kernel": 3})
    assert small.encode(architecture(*blocks)) == {
        "stage1.repeat": "2",
        "stage1.filters": "8",
        "stage1.downsample": "none",
        "stage1.2.0.kind": "bottleneck",
        "stage1.2.0.bottleneck.squeeze": "1/4",
        "stage1.1.0.kind": "conv",
        "stage1.1.0.conv.kernel": "3",
        "stage1.1.0.conv.padding": "same",
        "head.repeat": "1",
        "head.downsample": "none",
        "head.1.0.kind": "global_pool",
        "head.1.0.global_pool.pool": "average",
    }


def test_decisions_that_are_not_met_are_left_out(small):
    assert set(small.encode(architecture())) == {
        "stage1.repeat",
        "head.repeat",
        "head.downsample",
        "head.1.0.kind",
        "head.1.0.global_pool.pool",
    }


def test_filters_of_the_stage_are_a_decision_where_a_block_may_have_its_own():
    text = """
input: 8x8x1
classes: 2
stages:
  - {filters: [4, 8], choose: [conv: {filters: 24}, conv: {kernel: 1}, bottleneck: {squeeze: 1/2}]}
head: global_pool
"""
    space = SearchSpace(parse_definition(text))
    name = "stage1.1.0.conv.filters"
    own, stages, other = (
        architecture({"kind": "conv", "filters": 24, "kernel": 3}),
        architecture({"kind": "conv", "filters": 8, "kernel": 1}),
        architecture({"kind": "bottleneck", "filters": 8, "squeeze": 4}),
    )
    assert [space.encode(each).get(name) for each in (own, stages, other)] == ["24", "stage", None]
    assert space.genes()[name] == ("", "24", "stage")


def test_a_fraction_is_the_same_decision_for_all_filters(small):
    few = architecture({"kind": "bottleneck", "filters": 4, "squeeze": 2})
    many = architecture({"kind": "bottleneck", "filters": 8, "squeeze": 4})
    name = "stage1.1.0.bottleneck.squeeze"
    assert small.encode(few)[name] == small.encode(many)[name] == "1/2"


def test_pooling_and_stride_are_the_stage_s_decision(small):
    pooled = architecture({"kind": "pool", "pool": "max"}, {"kind": "conv", "filters": 4, "kernel": 3})
    strided = architecture({"kind": "conv", "filters": 4, "kernel": 3, "stride": 2})
    assert small.encode(pooled)["stage1.downsample"].startswith("pool")
    assert small.encode(strided)["stage1.downsample"] == "stride"


def test_another_spelling_has_the_same_genes(small):
    # The padding of a 1x1 kernel changes nothing; the space knows one of the two spellings.
    same, valid = ({"kind": "conv", "filters": 4, "kernel": 1, "padding": padding} for padding in ("same", "valid"))
    assert architecture(same) != architecture(valid)
    assert small.encode(architecture(same)) == small.encode(architecture(valid))


def test_an_architecture_of_another_space_is_refused(small):
    with pytest.raises(EncodingError, match="the space 'space' cannot produce conv5-4, global_pool; continue a search"):
        small.encode(architecture({"kind": "conv", "filters": 4, "kernel": 5}))


def test_every_sample_is_found_again_also_from_its_json(name):
    space, rng = load_space(name, input_shape=(8, 8, 1)), random.Random(0)
    for _ in range(10):
        sample = space.sample(rng)
        genes = space.encode(sample)
        assert space.encode(Architecture.from_json(sample.to_json())) == genes
        assert space.build(genes, rng).id == sample.id


def test_all_genes_list_what_samples_have(mixed):
    known = mixed.genes()
    rng = random.Random(1)
    for _ in range(60):
        genes = mixed.encode(mixed.sample(rng))
        assert all(value in known[name] for name, value in genes.items())
        assert all(name in genes for name, values in known.items() if "" not in values)
    assert known["stage2.repeat"] == ("0", "1", "2")
    assert known["stage2.filters"] == ("", "16", "32", "48")


def test_genes_do_not_depend_on_the_budget(mixed):
    sample = mixed.sample(random.Random(0), Budget(max_parameters=5_000))
    assert mixed.encode(sample) == mixed.encode(Architecture.from_json(sample.to_json()))
