import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from node.logs import LogFormat, log_to
from tests.node.parts import ALICE
from tests.node.test_keystore import forms


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def fail_with_a_secret() -> None:
    secret = ALICE.secret
    raise ValueError(len(secret))


@pytest.mark.parametrize("form", LogFormat)
def test_what_a_variable_held_is_not_in_a_traceback(form: LogFormat) -> None:
    stream = io.StringIO()
    log_to(stream, form)
    for log in (structlog.get_logger(), logging.getLogger("a library")):
        try:
            fail_with_a_secret()
        except ValueError:
            log.exception("it failed")
    text = stream.getvalue()
    assert text.count("fail_with_a_secret") >= 2
    assert not any(secret in text.encode() for secret in forms(ALICE.secret))


def test_every_line_in_json_is_one_object_whoever_wrote_it() -> None:
    stream = io.StringIO()
    log_to(stream, LogFormat.JSON)
    structlog.get_logger().info("slot moved", slot=900)
    logging.getLogger("a.library").warning("no %s", "room")
    logging.getLogger("a.library").info("nobody needs this")
    ours, theirs = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (ours["event"], ours["slot"], ours["level"]) == ("slot moved", 900, "info")
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("no room", "a.library", "warning")
    assert "timestamp" in ours.keys() & theirs.keys()
