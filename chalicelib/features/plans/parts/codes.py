"""Codes of a plan's parts: unique within the plan, made where none is given."""

from collections.abc import Set


def chosen(given: str | None, base: str, taken: Set[str], old: str | None) -> str | None:
    """The code of a part: the given one, else the old one, else `base`; None when the given one is another part's."""
    if given:
        return given if given == old or given not in taken else None
    return free(base, taken) if old is None else old


def free(base: str, taken: Set[str]) -> str:
    """`base`, with a number if it is in use."""
    number, code = 2, base
    while code in taken:
        code, number = f"{base}_{number}", number + 1
    return code
