"""The root of every error this project raises on purpose."""


class WattbookError(Exception):
    """Something a caller did, or something outside, was not acceptable.

    Attributes:
        code: stable, dotted, lower-case name of the kind of error; the API shows it to callers, who may
            rely on it. A subclass sets its own.
    """

    code = "wattbook.error"
