"""Shipped spaces on the inputs that tests share; expanding one takes up to a second, so each is made once."""

from functools import cache

import pytest

from nas.files.shipped import shipped
from nas.space import SearchSpace, load_space

SHIPPED = [name for name in sorted(shipped("search_spaces")) if "/" not in name]
SHAPES = [(8, 8, 1), (28, 28, 1), (32, 32, 3), (37, 21, 2)]
"""Digits, MNIST, CIFAR, and a rectangle of odd sides."""


@cache
def made(name: str, shape: tuple[int, int, int], classes: int = 10) -> SearchSpace:
    return load_space(name, input_shape=shape, classes=classes)


@pytest.fixture(params=SHIPPED)
def name(request):
    return request.param


@pytest.fixture(params=SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def space(request, name):
    return made(name, request.param)


@pytest.fixture
def mixed():
    return made("mixed", (8, 8, 1))
