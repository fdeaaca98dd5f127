"""Structured logs: each line says what happened, and to which slot or order.

Never what a variable held, which may be a key: tracebacks show code only.
"""

import logging
from enum import StrEnum
from typing import TextIO

import structlog
from structlog.types import Processor


class LogFormat(StrEnum):
    """How a line looks."""

    JSON = "json"
    """One JSON object, for programs."""
    TEXT = "text"
    """For people."""


def log_to(stream: TextIO, form: LogFormat = LogFormat.JSON) -> None:
    """Send everything the node logs, and what its libraries warn of, to a stream opened by the caller."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, *_rendered(form)],
        logger_factory=structlog.PrintLoggerFactory(stream),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendered(form)],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _rendered(form: LogFormat) -> list[Processor]:
    if form is LogFormat.JSON:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
