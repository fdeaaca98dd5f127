"""`wattbook certificates decide, issue, withdraw, reissue, import`: the issuer's, with the operator's API key."""

from typing import Annotated

import typer

from ledger.hexcodec import to_data
from node.cli import units
from node.cli.certificates import CertificateId, certificates_app
from node.cli.common import DEFAULT_URL, AsJson, Url, address_of, connected, print_answer, print_json
from node.cli.keys import ApiKey, ReadKey

_PANEL = "The issuer's"


@certificates_app.command("requests", rich_help_panel=_PANEL)
def requests(
    *,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are not decided.")] = False,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Show the requests for certificates."""
    with connected(url, api_key=api_key) as client:
        found = client.requests(open_only=only_open)
        if json:
            print_json(found)
            return
        for each in found:
            decision = each["decision"]
            said = "open" if decision is None else "approved" if decision["approved"] else "refused"
            typer.echo(
                f"{each['number']:>4}  device {each['device']}  {units.shown_time(each['first_slot'])} to "
                f"{units.shown_time(each['last_slot'])}  {said}"
            )
            if decision is not None and decision["reason"]:
                typer.echo(f"      {decision['reason']}")
        if not found:
            typer.echo("No requests.")


@certificates_app.command("decide", rich_help_panel=_PANEL)
def decide(
    number: Annotated[int, typer.Argument(min=1, help="The request's number.")],
    *,
    approve: Annotated[bool, typer.Option("--approve/--refuse", help="What is decided, for good.")],
    reason: Annotated[str, typer.Option(help="Why; a refusal needs a reason.")] = "",
    api_key: ApiKey,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Approve or refuse a request. What is approved the node issues in its next step."""
    with connected(url, api_key=api_key) as client:
        answer = client.decide(number, approved=approve, reason=reason, api_key=api_key)
        print_answer(answer, f"Request {number} is {'approved' if approve else 'refused'}.", json=json)


@certificates_app.command("issue", rich_help_panel=_PANEL)
def issue(
    number: Annotated[int, typer.Argument(min=1, help="The approved request's number.")],
    *,
    api_key: ApiKey,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Certify the slots of an approved request at once, or say what keeps it from that."""
    with connected(url, api_key=api_key) as client:
        answer = client.issuer_act("issue", request=number, api_key=api_key)
        print_answer(answer, f"{units.shown_energy(answer['amount_wh'])} certified.", json=json)


@certificates_app.command("withdraw", rich_help_panel=_PANEL)
def withdraw(
    certificate: CertificateId,
    *,
    reason: Annotated[str, typer.Option(help="Why it should not have been issued as it was.")],
    api_key: ApiKey,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Freeze what is not retired of a certificate."""
    with connected(url, api_key=api_key) as client:
        answer = client.issuer_act("withdraw", id=certificate, reason=reason, api_key=api_key)
        frozen = units.shown_energy(answer["withdrawal"]["frozen_wh"])
        print_answer(answer, f"{certificate} is withdrawn: {frozen} frozen.", json=json)


@certificates_app.command("reissue", rich_help_panel=_PANEL)
def reissue(
    certificate: CertificateId,
    *,
    kwh: Annotated[str, typer.Option(help="What it should have been issued for, kWh.")],
    api_key: ApiKey,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Issue a withdrawn certificate anew, for the right amount."""
    with connected(url, api_key=api_key) as client:
        corrected_wh = units.energy_wh(kwh, least_wh=0)
        answer = client.issuer_act("reissue", id=certificate, corrected_wh=corrected_wh, api_key=api_key)
        issued, owed = answer["issued_wh"], answer["correction"]["shortfall_wh"]
        debt = f"; the device owes {units.shown_energy(owed)}" if owed else ""
        print_answer(answer, f"{answer['id']} is issued for {units.shown_energy(issued)}{debt}.", json=json)


@certificates_app.command("import", rich_help_panel=_PANEL)
def import_certificate(
    *,
    registry: Annotated[str, typer.Option(help="The registry that retired it.")],
    serial: Annotated[str, typer.Option(help="Its serial number there.")],
    to: Annotated[str, typer.Option(help="The account that gets it.")],
    area: Annotated[int, typer.Option(min=1, help="The number of the area where it was generated.")],
    slot: Annotated[str, typer.Option(help="When: start of its slot.")],
    minutes: Annotated[int, typer.Option(help="Length of its slot: 5, 15, 30 or 60 minutes.")] = 60,
    kwh: Annotated[str, typer.Option(help="How much, kWh.")],
    technology: Annotated[str, typer.Option(help="EECS technology code, such as T020001.")],
    fuel: Annotated[str, typer.Option(help="EECS energy source code, such as F01050100.")],
    api_key: ApiKey,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Issue what another registry has retired in favour of this one."""
    with connected(url, api_key=api_key) as client:
        answer = client.issuer_act(
            "import",
            registry=registry,
            serial=serial,
            to=to_data(address_of(to, "--to")),
            area=area,
            slot=units.second(slot),
            slot_length_s=minutes * 60,
            amount_wh=units.energy_wh(kwh),
            technology=technology,
            fuel=fuel,
            api_key=api_key,
        )
        print_answer(answer, f"{answer['id']} is issued for {units.shown_energy(answer['issued_wh'])}.", json=json)
