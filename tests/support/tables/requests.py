"""The operations on items, as DynamoDB's API has them: a request's parameters in, an answer or a refusal out."""

from typing import Any

from tests.support.tables import reading, writing
from tests.support.tables.common import FAILED, Failed, Operation, Refusal, Request, Tables
from tests.support.tables.values import Wrong


def answer(tables: Tables, operation: str, request: Request) -> dict[str, Any]:
    """The answer to a request.

    Raises: Refusal; NotImplementedError, for what is not there.
    """
    try:
        return OPERATIONS[operation](tables, request)
    except Wrong as error:
        raise Refusal("ValidationException", str(error)) from error
    except Failed as error:
        found = {} if error.item is None else {"Item": error.item}
        raise Refusal("ConditionalCheckFailedException", FAILED, **found) from error


OPERATIONS: dict[str, Operation] = {
    "GetItem": reading.get_item,
    "BatchGetItem": reading.batch_get_item,
    "Query": reading.query,
    "Scan": reading.scan,
    "PutItem": writing.alone("Put"),
    "UpdateItem": writing.alone("Update"),
    "DeleteItem": writing.alone("Delete"),
    "BatchWriteItem": writing.batch_write_item,
    "TransactWriteItems": writing.transact_write_items,
}
