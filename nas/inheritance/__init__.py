"""Weights that a network starts with from a similar one that has been trained: morphisms on the graph of layers."""

from __future__ import annotations

from nas.inheritance.inherit import Inheritance, inherit

__all__ = ["Inheritance", "inherit"]
