"""Overrides: the child of a plan that one subscription has, and what it takes over of its parent's later changes.

Keeps true: a child follows its parent only where the parent's change says so and nothing was overridden.
"""
