"""One structured logger for the whole process."""

from aws_lambda_powertools import Logger

from chalicelib.platform.settings import settings

logger = Logger(service="tollgate", level=settings().log_level, serialize_stacktrace=False)
