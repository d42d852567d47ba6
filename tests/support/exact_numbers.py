"""Numbers in moto's tables as exact as DynamoDB's: 38 digits, and small ones can be added to."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Context, Decimal

import pytest
from moto.dynamodb.models.dynamo_type import DynamoType

_CONTEXT = Context(prec=38)


@contextmanager
def exact_numbers() -> Iterator[None]:
    """`ADD` keeps plain digits: moto writes 1E-15 for a small sum, which it cannot read again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DynamoType, "__add__", _sum)
        yield


def _sum(one: DynamoType, other: DynamoType) -> DynamoType:
    assert one.type == other.type == "N", "only numbers are added up"
    return DynamoType({"N": format(_CONTEXT.add(Decimal(one.value), Decimal(other.value)), "f")})
