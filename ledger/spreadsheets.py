"""What goes into the cells of CSV files that people open with a spreadsheet."""

# A spreadsheet takes text that begins with one of these for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def cell(value: object) -> object:
    """A value as it stands in a CSV file: an apostrophe keeps text from being a formula.

    Members and registries choose their names, and whoever opens a list of them must not run what they say.
    Numbers, negative ones included, stay as they are; None is empty.
    """
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value
