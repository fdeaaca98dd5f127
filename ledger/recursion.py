"""How deep Python may recurse in a process that has a chain."""

import sys

MAX_DEPTH = 12_288
"""What py-evm wants for its 1,024 nested calls; C code that recurses as deep stays within any thread's stack."""


def bound_recursion() -> None:
    """Lower Python's recursion limit to `MAX_DEPTH`, if it is above.

    A package that py-evm imports raises it to 100,000 for the whole process. Recursive C code, as the standard
    JSON parser on deeply nested input, then overflows the stack, which ends the process, instead of raising.
    """
    sys.setrecursionlimit(min(sys.getrecursionlimit(), MAX_DEPTH))
