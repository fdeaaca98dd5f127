"""`wattbook certificates`: what was issued for which generation, and where it went."""

from rich.console import Console
from rich.table import Table

from node.answers import CertificateAnswer
from node.cli import units
from node.cli.common import (
    DEFAULT_URL,
    Account,
    AsJson,
    Limit,
    MemberKey,
    Url,
    chosen_account,
    connected,
    print_json,
)


def certificates(
    *,
    account: Account = None,
    limit: Limit = 20,
    key: MemberKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Show the latest certificates: those of an account's devices and those it got some of, or all."""
    address = chosen_account(account, key)
    with connected(url) as client:
        answer = client.certificates(account=address, limit=limit)
        if json:
            print_json(answer)
        else:
            _show(answer)


def _show(found: list[CertificateAnswer]) -> None:
    table = Table("slot", "device", title="Certificates" if found else "No certificates")
    for name in ("issued", "passed on", "retired", "left with the producer"):
        table.add_column(name, justify="right")
    table.add_column("block", justify="right")
    for certificate in found:
        retired_wh = sum(move.amount_wh for move in certificate.moves if move.retired)
        passed_on_wh = sum(move.amount_wh for move in certificate.moves if not move.retired)
        table.add_row(
            units.shown_time(certificate.slot),
            str(certificate.device),
            units.shown_energy(certificate.issued_wh),
            units.shown_energy(passed_on_wh),
            units.shown_energy(retired_wh),
            units.shown_energy(certificate.issued_wh - passed_on_wh - retired_wh),
            str(certificate.issuance.block) if certificate.issuance else "",
        )
    Console().print(table)
