"""`wattbook certificates`: look at certificates, and use them."""

from typing import Annotated, Any

import typer
from rich.table import Table

from ledger.hexcodec import to_data
from node.answers import CertificateAnswer, HoldingAnswer
from node.cli import tables, units
from node.cli.common import (
    DEFAULT_URL,
    Account,
    AsJson,
    Limit,
    MemberKey,
    Url,
    chosen_account,
    connected,
    fail,
    print_json,
)
from node.cli.keys import KeyFile, ReadKey, given_key
from node.cli.verify_statement import verify_statement

certificates_app = typer.Typer(
    help="Certificates (guarantees of origin): what was issued, who holds it, and what it was used up for.",
    invoke_without_command=True,
    no_args_is_help=False,
)

CertificateId = Annotated[str, typer.Argument(help="A certificate's token id, 0x and hexadecimal digits.")]


@certificates_app.callback()
def certificates(
    context: typer.Context,
    *,
    account: Account = None,
    state: Annotated[str | None, typer.Option(help="valid, expired or withdrawn.")] = None,
    limit: Limit = 20,
    key: MemberKey = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Show the latest certificates: those that concern an account, or all. Subcommands do more."""
    if context.invoked_subcommand is None:
        show_list(account=account, state=state, limit=limit, key=key, api_key=api_key, url=url, json=json)


@certificates_app.command("list")
def show_list(
    *,
    account: Account = None,
    state: Annotated[str | None, typer.Option(help="valid, expired or withdrawn.")] = None,
    limit: Limit = 20,
    key: MemberKey = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Show the latest certificates: those that concern an account, or all."""
    address = chosen_account(account, key)
    with connected(url, api_key=api_key) as client:
        shown = None if address is None else to_data(address)
        answer = client.certificates(account=shown, state=state, limit=limit)
        if json:
            print_json(answer)
        else:
            _show_list(answer)


@certificates_app.command("show")
def show(
    certificate: CertificateId, *, api_key: ReadKey = None, url: Url = DEFAULT_URL, json: AsJson = False
) -> None:
    """Show one certificate, and everything that happened to it."""
    with connected(url, api_key=api_key) as client:
        answer = client.certificate(certificate)
        if json:
            print_json(answer)
        else:
            _show_details(answer)


@certificates_app.command("holdings")
def holdings(
    *,
    account: Account = None,
    key: MemberKey = None,
    key_file: KeyFile = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Show what an account holds, the oldest first."""
    signer = given_key(key, key_file)
    address = chosen_account(account, None) or (None if signer is None else signer.address)
    if address is None:
        fail("name an account with --account, or give a key")
    with connected(url, api_key=api_key) as client:
        answer = client.holdings(address)
        if json:
            print_json(answer)
        else:
            _show_holdings(answer)


certificates_app.command("verify")(verify_statement)


def _show_list(found: list[CertificateAnswer]) -> None:
    table = Table(title="Certificates" if found else "No certificates")
    for name in ("slot", "device", "kind", "state"):
        table.add_column(name)
    for name in ("issued", "retired", "held"):
        table.add_column(name, justify="right")
    for certificate in found:
        table.add_row(
            units.shown_time(certificate.slot),
            f"{certificate.device}{_revision(certificate.revision)}",
            certificate.kind,
            certificate.state,
            units.kwh(certificate.issued_wh),
            units.kwh(certificate.retired_wh),
            units.kwh(sum(held_wh for _, held_wh in certificate.holders)),
            end_section=False,
        )
    if found:
        table.caption = "Energy in kWh. Ids: wattbook certificates --json"
    tables.console().print(table)


def _show_holdings(found: list[HoldingAnswer]) -> None:
    table = Table(title="Holdings" if found else "Nothing held")
    table.add_column("certificate", overflow="fold")
    for name in ("kind", "slot", "state"):
        table.add_column(name)
    table.add_column("kWh", justify="right")
    for holding in found:
        table.add_row(
            holding.id, holding.kind, units.shown_time(holding.slot), holding.state, units.kwh(holding.amount_wh)
        )
    usable_wh = sum(holding.amount_wh for holding in found if holding.usable)
    consumed_wh = sum(holding.amount_wh for holding in found if holding.kind == "consumption")
    table.caption = f"{units.shown_energy(usable_wh)} may be transferred or retired"
    if consumed_wh:
        table.caption += f";\n{units.shown_energy(consumed_wh)} of consumption, which is not covered"
    tables.console().print(table)


def _show_details(fields: dict[str, Any]) -> None:
    lines = [
        f"{fields['kind']} of device {fields['device']}, {units.shown_time(fields['slot'])}, {fields['state']}",
        f"owner      {fields['owner']}",
        f"issued     {units.shown_energy(fields['issued_wh'])} in {_where(fields['issuance'])}",
        f"expires    {units.shown_time(fields['expires_at'])}",
    ]
    lines += [
        f"held       {units.shown_energy(each['held_wh'])} by {each['account']}" for each in fields["holders"]
    ]
    lines += [
        f"moved      {units.shown_energy(each['amount_wh'])} to {each['receiver']} in {_where(each['at'])}"
        for each in fields["transfers"]
    ]
    lines += [
        f"{each['topic'].replace('_', ' '):<10} {units.shown_energy(each['amount_wh'])} for {each['account']} in "
        f"{_where(each['at'])}"
        for each in fields["claims"]
    ]
    lines += [
        f"covered    {units.shown_energy(each['amount_wh'])} by {each['certificate']}"
        for each in fields["matches"]
    ]
    lines += [
        f"origin     {each['output_uwh'] / 1_000_000:,.3f} Wh of {each['certificate'] or 'no certified origin'}"
        for each in fields["sources"]
    ]
    if fields["withdrawal"] is not None:
        withdrawal = fields["withdrawal"]
        frozen = units.shown_energy(withdrawal["frozen_wh"])
        lines.append(f"withdrawn  {frozen} frozen: {withdrawal['reason']} ({_where(withdrawal['at'])})")
    if len(fields["revisions"]) > 1:
        lines.append(f"revisions  {', '.join(fields['revisions'])}")
    for line in lines:
        typer.echo(line)


def _revision(revision: int) -> str:
    return f" r{revision}" if revision else ""


def _where(on_chain: dict[str, Any]) -> str:
    return f"block {on_chain['block']}"
