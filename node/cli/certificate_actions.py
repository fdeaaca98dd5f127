"""`wattbook certificates transfer, retire, pair, export, request`: what members do, signed with their own keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.hexcodec import to_data
from matching.errors import WattbookError
from node.cli import units
from node.cli.certificates import certificates_app
from node.cli.common import DEFAULT_URL, AsJson, MemberKey, Url, address_of, fail, print_json
from node.cli.keys import KeyFile, ReadKey, member_key
from node.client import WattbookClient

Kwh = Annotated[str | None, typer.Option("--kwh", help="How much, kWh: the oldest certificates first.")]
Ids = Annotated[
    list[str] | None, typer.Option("--id", help="A certificate and how much of it, as ID:KWH; as often as needed.")
]
From = Annotated[
    str | None, typer.Option("--from", help="Only slots from here on: an ISO date and time, or Unix seconds.")
]
Until = Annotated[str | None, typer.Option("--until", help="Only slots that start before this.")]
Device = Annotated[int | None, typer.Option("--device", min=0, help="Only this device's.")]
PURPOSES = ("consumption", "disclosure", "product", "cancellation")


@certificates_app.command("transfer")
def transfer(
    to: Annotated[str, typer.Argument(help="The account that gets them.")],
    *,
    kwh: Kwh = None,
    ids: Ids = None,
    since: From = None,
    until: Until = None,
    device: Device = None,
    key: MemberKey = None,
    key_file: KeyFile = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Give certificates to another account."""
    receiver = to_data(address_of(to, "TO"))
    with signing(url, key, key_file, api_key=api_key) as client:
        fields = _selection(kwh, ids, since, until, device)
        _done(*client.act("transfer", to=receiver, **fields), "transferred", json=json)


@certificates_app.command("retire")
def retire(
    *,
    purpose: Annotated[
        str, typer.Option(help="consumption, disclosure, product or cancellation.")
    ] = "consumption",
    country: Annotated[str, typer.Option(help="Where the energy was used, two letters (ISO 3166-1).")],
    used_from: Annotated[str, typer.Option(help="From when on it was used.")],
    used_until: Annotated[str, typer.Option(help="Until when it was used.")],
    beneficiary: Annotated[str | None, typer.Option(help="Whose claim it is; by default yours.")] = None,
    text: Annotated[str, typer.Option(help="What for, in private words: the chain gets a salted hash only.")] = "",
    kwh: Kwh = None,
    ids: Ids = None,
    since: From = None,
    until: Until = None,
    device: Device = None,
    key: MemberKey = None,
    key_file: KeyFile = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Use certificates up, forever."""
    if purpose not in PURPOSES:
        raise typer.BadParameter(f"must be one of {', '.join(PURPOSES)}", param_hint="--purpose")
    with signing(url, key, key_file, api_key=api_key) as client:
        claim: dict[str, Any] = {
            "purpose": purpose,
            "country": country,
            "first_slot": units.second(used_from),
            "last_slot": units.second(used_until) - 1,
            "text": text,
        }
        if beneficiary is not None:
            claim["beneficiary"] = to_data(address_of(beneficiary, "--beneficiary"))
        fields = _selection(kwh, ids, since, until, device)
        prepared, sent = client.act("retire", claim=claim, **fields)
        _done(prepared, sent, "retired", json=json)
        if text and not json:
            typer.echo(f"Keep this to reveal the text: salt {prepared['salt']}")


@certificates_app.command("pair")
def pair(
    *,
    kwh: Annotated[str | None, typer.Option(help="How much at most, kWh; by default as much as fits.")] = None,
    since: From = None,
    until: Until = None,
    key: MemberKey = None,
    key_file: KeyFile = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Retire certificates against your own consumption of the same slots."""
    with signing(url, key, key_file, api_key=api_key) as client:
        fields = _period(since, until) | ({} if kwh is None else {"amount_wh": units.energy_wh(kwh)})
        _done(*client.act("retire_pairs", **fields), "retired against consumption", json=json)


@certificates_app.command("export")
def export(
    *,
    registry: Annotated[str, typer.Option(help="The registry that certifies them from here on.")],
    serial: Annotated[str, typer.Option(help="Its serial number.")],
    kwh: Kwh = None,
    ids: Ids = None,
    since: From = None,
    until: Until = None,
    device: Device = None,
    key: MemberKey = None,
    key_file: KeyFile = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Retire certificates in favour of another registry."""
    with signing(url, key, key_file, api_key=api_key) as client:
        fields = _selection(kwh, ids, since, until, device)
        _done(*client.act("export", registry=registry, serial=serial, **fields), "exported", json=json)


@certificates_app.command("request")
def request(
    device: Annotated[int, typer.Argument(min=0, help="Your device's number.")],
    *,
    since: Annotated[str, typer.Option("--from", help="Start of the first slot.")],
    until: Annotated[str, typer.Option("--until", help="End of the last slot.")],
    key: MemberKey = None,
    key_file: KeyFile = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Ask for certificates of what your device metered."""
    with signing(url, key, key_file, api_key=api_key) as client:
        length = client.market().slot_length_s
        first, end = units.period(since, until)
        prepared, sent = client.act("request", device=str(device), first_slot=first, last_slot=end - length)
        _done(prepared, sent, "requested", json=json)


@contextmanager
def signing(url: str, key: str | None, key_file: Path | None, *, api_key: str | None) -> Iterator[WattbookClient]:
    """A client that signs; whatever is refused inside ends the command."""
    signer = member_key(key, key_file)
    try:
        with WattbookClient(url, signer, patience_s=3.0, api_key=api_key) as client:
            yield client
    except WattbookError as error:
        fail(error)


def _selection(
    kwh: str | None, ids: list[str] | None, since: str | None, until: str | None, device: int | None
) -> dict[str, Any]:
    if (kwh is None) == (not ids):
        raise typer.BadParameter("give either --kwh or --id", param_hint="--kwh")
    if ids:
        return {"parts": [_part(text) for text in ids]}
    fields: dict[str, Any] = {"amount_wh": units.energy_wh(str(kwh))}
    return fields | _period(since, until) | ({} if device is None else {"device": str(device)})


def _part(text: str) -> dict[str, Any]:
    certificate, _, kwh = text.partition(":")
    return {"id": certificate, "amount_wh": units.energy_wh(kwh)}


def _period(since: str | None, until: str | None) -> dict[str, int]:
    if since is not None and until is not None:
        units.period(since, until)
    fields = {} if since is None else {"first_slot": units.second(since)}
    return fields if until is None else fields | {"last_slot": units.second(until) - 1}


def _done(prepared: dict[str, Any], sent: Any, what: str, *, json: bool) -> None:
    if json:
        print_json({"transaction": sent, **{name: prepared[name] for name in prepared if name != "transaction"}})
        return
    chosen = prepared["parts"] or prepared["pairs"]
    if chosen:
        amount_wh = sum(part["amount_wh"] for part in chosen)
        noun = "certificate" if len(chosen) == 1 else "certificates"
        typer.echo(f"{units.shown_energy(amount_wh)} of {len(chosen)} {noun} {what}, block {sent.block}.")
    else:
        typer.echo(f"{what.capitalize()}, block {sent.block}.")
    typer.echo(f"Transaction {to_data(sent.hash)}")
