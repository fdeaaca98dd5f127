"""Change one setting of a scenario, or of anything else made of dataclasses, named by its path.

`community_battery.capacity_wh` is a field of a field; `households.home-03.battery.capacity_wh` goes through a
tuple by name, `households.2.battery.capacity_wh` by position. The changed dataclasses check their fields again.
"""

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np

from matching.errors import WattbookError

Value = int | bool | str | None
Thing = TypeVar("Thing")


class SettingError(WattbookError):
    """A setting does not exist or cannot have this value."""

    code = "simulation.setting"


def changed(thing: Thing, path: str, value: Value) -> Thing:
    """A copy with the setting at this path changed; a price that varies by slot becomes the same in every slot.

    Raises:
        SettingError: there is no such setting, or it cannot be of this type.
        WattbookError: the value is outside the setting's limits; whatever the changed dataclass raises.
    """
    result: Thing = _changed(thing, path.split("."), value, path)
    return result


def parsed(text: str) -> Value:
    """The value that a text on the command line means: an integer, true, false, null, or the text itself."""
    words: dict[str, Value] = {"true": True, "false": False, "null": None}
    if text in words:
        return words[text]
    try:
        return int(text.replace("_", ""))
    except ValueError:
        return text


def _changed(thing: Any, segments: list[str], value: Value, path: str) -> Any:
    if not segments:
        return _leaf(thing, value, path)
    head, *rest = segments
    if thing is None:
        part = path.removesuffix("." + ".".join(segments))
        raise SettingError(
            f"setting '{path}': the scenario has no '{part}'; another variant or community may have"
        )
    if isinstance(thing, tuple):
        position = _position(thing, head, path)
        return (*thing[:position], _changed(thing[position], rest, value, path), *thing[position + 1 :])
    if not is_dataclass(thing) or isinstance(thing, type):
        raise SettingError(f"setting '{path}': there is no '{head}' in {thing!r}")
    names = [field.name for field in fields(thing)]
    if head not in names:
        raise SettingError(f"setting '{path}': there is no '{head}', only {', '.join(names)}")
    return replace(thing, **{head: _changed(getattr(thing, head), rest, value, path)})


def _position(things: tuple[Any, ...], name: str, path: str) -> int:
    names = [getattr(thing, "name", None) for thing in things]
    if name in names:
        return names.index(name)
    if name.isdecimal() and int(name) < len(things):
        return int(name)
    known = ", ".join(each for each in names if each) or f"0 to {len(things) - 1}"
    raise SettingError(f"setting '{path}': there is no '{name}', only {known}")


def _leaf(old: Any, value: Value, path: str) -> Any:
    if isinstance(old, np.ndarray):
        if type(value) is not int:
            raise SettingError(f"setting '{path}' is {value!r}: must be an integer")
        return np.full_like(old, value)
    if old is not None and not isinstance(old, int | str):
        raise SettingError(f"setting '{path}' has parts: name one of them")
    # None is the default of settings that may be left out, and may be given to those only.
    if old is not None and type(value) is not type(old):
        raise SettingError(f"setting '{path}' is {value!r}: must be of the kind of {old!r}")
    return value
