"""A statement's lines as flat rows, for spreadsheets and programs: CSV and JSON.

They are for convenience: what counts is the signed statement. Integers in the units of their names, as everywhere;
times in Unix seconds UTC; nothing is an empty cell, or null.
"""

import csv
import io
import json

from ledger.certificates.ids import CertificateKind
from ledger.hexcodec import to_data
from ledger.spreadsheets import cell
from ledger.statements.codec import to_plain
from ledger.statements.model import Device, Disclosure, ImportedFrom, Retirement, Statement

Row = dict[str, str | int | None]


def rows(statement: Statement) -> list[Row]:
    """One row for each retirement, or for each origin and technology of a disclosure; see `docs/statements.md`."""
    if statement.disclosure is not None:
        return _disclosure_rows(statement, statement.disclosure)
    devices = {device.device: device for device in statement.devices}
    imports = {each.number: each for each in statement.imports}
    found = []
    for retirement in statement.retirements:
        certificate = retirement.certificate
        is_imported = certificate.kind is CertificateKind.IMPORTED
        source = imports[certificate.device] if is_imported else devices[certificate.device]
        found.append(
            {
                "certificate": to_plain(certificate),
                "slot": certificate.slot,
                "amount_wh": retirement.amount_wh,
                "origin": retirement.origin.value,
                **_source(source),
                **_claim(retirement),
            }
        )
    return found


def to_csv(statement: Statement) -> str:
    """The rows as CSV (RFC 4180) with a line of names."""
    table = rows(statement)
    names = list(table[0]) if table else []
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows([[cell(row[name]) for name in names] for row in table])
    return out.getvalue()


def to_json(statement: Statement) -> str:
    """The rows as a JSON list of objects."""
    return json.dumps(rows(statement), ensure_ascii=False, indent=2)


def _source(source: Device | ImportedFrom) -> Row:
    imported = source if isinstance(source, ImportedFrom) else None
    return {
        "device": None if isinstance(source, ImportedFrom) else source.device,
        "registry": None if imported is None else imported.registry,
        "serial": None if imported is None else imported.serial,
        "technology": source.technology,
        "fuel": source.fuel,
        "zone": source.zone,
        "slot_length_s": source.slot_length_s,
    }


def _claim(retirement: Retirement) -> Row:
    return {
        "holder": to_data(retirement.holder),
        "beneficiary": to_data(retirement.beneficiary),
        "consumption": to_plain(retirement.consumption),
        "purpose": retirement.purpose,
        "country": retirement.country,
        "first_slot": retirement.first_slot,
        "last_slot": retirement.last_slot,
        "text": retirement.text,
        "withdrawn": "yes" if retirement.withdrawn else "no",
        "block": retirement.block,
        "time": retirement.time,
        "transaction": to_data(retirement.transaction),
    }


def _disclosure_rows(statement: Statement, disclosure: Disclosure) -> list[Row]:
    uncovered = disclosure.consumption_wh - disclosure.matched_wh
    shares: list[tuple[str, str, str, int]] = [
        (share.origin.value, share.technology, share.fuel, share.matched_wh) for share in disclosure.shares
    ]
    return [
        {
            "account": None if statement.scope.account is None else to_data(statement.scope.account),
            "market": None if statement.scope.market is None else to_data(statement.scope.market),
            "first_slot": statement.scope.first_slot,
            "end_slot": statement.scope.end_slot,
            "origin": origin,
            "technology": technology,
            "fuel": fuel,
            "consumption_wh": amount_wh,
        }
        for origin, technology, fuel, amount_wh in [*shares, ("uncovered", "", "", uncovered)]
    ]
