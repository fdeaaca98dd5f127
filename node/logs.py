"""Structured logs: one JSON object a line, with the slot or order that it is about."""

from typing import TextIO

import structlog


def log_to(stream: TextIO) -> None:
    """Send everything the node logs to a stream, opened by the caller."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
