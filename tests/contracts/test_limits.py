"""What each role can do at most: no function of a contract obeys anybody but whom it is there for."""

from dataclasses import dataclass

import pytest

from contracts.artifacts import CONTRACTS
from ledger.abi import Contract
from tests.contracts.chunks import reason_of, run_by, settle_chunk, split
from tests.contracts.devices import details
from tests.contracts.fills import pair, position
from tests.contracts.test_roles import OPERATOR, TARIFF_FROM_LATER
from tests.world import MARKET, SLOT, World, refused


@dataclass(frozen=True)
class Limit:
    """Whom a function obeys, with arguments that get as far as the question who asks.

    `allowed` names keys of the world or contracts; everyone else gets `refusal`.
    """

    allowed: tuple[str, ...]
    refusal: str
    arguments: tuple[object, ...]


NOT_ENERGY = "energy: not transferable"
TERMS_ROW = ("operator", "meter_authority", "registrar", "utility")
MARKET_TERMS = dict.fromkeys(TERMS_ROW, b"\t" * 20) | {
    "slot_length_s": 900,
    "gate_lead_s": 300,
    "settle_within_s": 3_600,
    "uniform_price": True,
    "grid_limits": False,
}
FIRST_TARIFF = TARIFF_FROM_LATER | {"from_slot": 0}
NO_KEY = {"algorithm": 0, "key": bytes(32), "from_slot": 0}
AN_IMPORT = ("CH", "1", b"\x09" * 20, 1, SLOT, 900, 1, 0, 0)
NO_OWNER, NOT_HOLDER = "ownable: caller is not the owner", "markets: not the holder"

LIMITS: dict[tuple[str, str], Limit] = {
    ("credit", "mint"): Limit(("treasurer",), "erc20: access is denied", (b"\x09" * 20, 1)),
    ("credit", "transfer_ownership"): Limit(("treasurer",), NO_OWNER, (b"\x09" * 20,)),
    ("credit", "accept_ownership"): Limit((), "credit: not the new treasurer", ()),
    ("exchange", "commit_book"): Limit(("operator",), "exchange: not the operator", (MARKET, SLOT, bytes(32), 0)),
    ("exchange", "settle"): Limit(("operator",), "exchange: not the operator", (MARKET, SLOT, 0, [], False, [])),
    ("exchange", "deliver"): Limit(("meter_authority",), "exchange: not the meter authority", (MARKET, SLOT, [])),
    ("exchange", "set_control"): Limit(("markets",), "exchange: not the markets", (MARKET, 0)),
    ("exchange", "set_word"): Limit(("escrow",), "exchange: not the escrow", (b"\x09" * 20, 2**60 - 1)),
    ("exchange", "raise_epoch"): Limit(("escrow",), "exchange: not the escrow", (b"\x09" * 20, SLOT)),
    ("exchange", "note_posted"): Limit(("escrow",), "exchange: not the escrow", (MARKET, SLOT)),
    ("escrow", "register"): Limit(("registrar",), "escrow: not the registrar", (MARKET, [b"\x09" * 20])),
    ("escrow", "open_utility_account"): Limit(("markets",), "escrow: not the markets", (MARKET, b"\x09" * 20)),
    ("escrow", "move_utility_account"): Limit(
        ("markets",), "escrow: not the markets", (MARKET, b"\x08" * 20, b"\x09" * 20)
    ),
    ("escrow", "fill_posted"): Limit(("exchange",), "escrow: not the exchange", (MARKET, SLOT, bytes(32))),
    ("escrow", "close_posted"): Limit(("exchange",), "escrow: not the exchange", (MARKET, SLOT, 0, False)),
    ("markets", "open_market"): Limit(("owner",), NO_OWNER, (b"x" * 32, MARKET_TERMS, FIRST_TARIFF, [], 0)),
    ("markets", "freeze"): Limit(("owner", "challenges"), "markets: not the owner", (MARKET,)),
    ("markets", "unfreeze"): Limit(("owner",), NO_OWNER, (MARKET,)),
    ("markets", "transfer_ownership"): Limit(("owner",), NO_OWNER, (b"\x09" * 20,)),
    ("markets", "accept_ownership"): Limit((), "ownable_2step: caller is not the new owner", ()),
    ("markets", "set_tariff"): Limit(("utility",), "markets: not the utility", (MARKET, TARIFF_FROM_LATER)),
    ("markets", "offer_role"): Limit(("operator",), NOT_HOLDER, (MARKET, OPERATOR, b"\x09" * 20)),
    ("markets", "accept_role"): Limit((), "markets: not offered", (MARKET, OPERATOR)),
    ("devices", "offer_role"): Limit(("issuer",), "devices: not the holder", (0, b"\x09" * 20)),
    ("devices", "accept_role"): Limit((), "devices: not offered", (0,)),
    ("devices", "add_area"): Limit(("registrar",), "devices: not the registrar", (MARKET, "zone")),
    ("devices", "register_device"): Limit(
        ("registrar",), "devices: not the registrar", (9, details(b"\x09" * 20))
    ),
    ("devices", "rotate_key"): Limit(("registrar",), "devices: not the registrar", (9, NO_KEY)),
    ("devices", "close_device"): Limit(("registrar",), "devices: not the registrar", (9, 1)),
    ("devices", "anchor"): Limit(("issuer",), "devices: not the issuer", (1, [])),
    ("devices", "decide"): Limit(("issuer",), "devices: not the issuer", (1, True, "")),
    # Nobody owns a device yet.
    ("devices", "request"): Limit((), "devices: not the owner", (9, SLOT, SLOT, bytes(32))),
    ("issuance", "certify"): Limit(("issuer",), "issuance: not the issuer", (MARKET, SLOT, [], [], [], [])),
    ("issuance", "issue"): Limit(("issuer",), "issuance: not the issuer", (1, 9, SLOT, [5])),
    ("issuance", "commit_day"): Limit(("issuer",), "issuance: not the issuer", (MARKET, 1, bytes(32), 1, 1)),
    ("issuance", "reissue"): Limit(("issuer",), "issuance: not the issuer", (1, 1, [])),
    ("issuance", "import_certificate"): Limit(("issuer",), "issuance: not the issuer", (AN_IMPORT,)),
    ("certificates", "withdraw"): Limit(("issuer",), "certificates: not the issuer", (1, "")),
    ("certificates", "issue"): Limit(("issuance",), "certificates: not the issuance", (1, 1 << 190, 1)),
    ("certificates", "issue_all"): Limit(("issuance",), "certificates: not the issuance", (1, [], [])),
    ("certificates", "move"): Limit(("issuance",), "certificates: not the issuance", (1, 1, b"\x09" * 20, 1)),
    ("certificates", "match"): Limit(
        ("issuance",), "certificates: not the issuance", (b"\x09" * 20, (1, 1), (1, 1), 1)
    ),
    ("certificates", "claim_rest"): Limit(("issuance",), "certificates: not the issuance", ((1, 1),)),
    ("challenges", "request_bond_release"): Limit(("operator",), "challenges: not the operator", (MARKET,)),
    ("challenges", "release_bond"): Limit(("operator",), "challenges: not the operator", (MARKET,)),
    ("challenges", "report_overdrawn"): Limit(
        ("operator",), "challenges: not the operator", (MARKET, SLOT, [], [])
    ),
    # An energy token goes nowhere, whoever asks.
    ("energy", "setApprovalForAll"): Limit((), NOT_ENERGY, (b"\x09" * 20, True)),
    ("energy", "safeTransferFrom"): Limit((), NOT_ENERGY, (b"\x09" * 20, b"\x08" * 20, SLOT, 1, b"")),
    ("energy", "safeBatchTransferFrom"): Limit((), NOT_ENERGY, (b"\x09" * 20, b"\x08" * 20, [SLOT], [1], b"")),
}

# What anybody may call, and why it needs no limit.
OPEN: dict[tuple[str, str], str] = {
    ("credit", "transfer"): "the caller's own credits",
    ("credit", "transferFrom"): "as far as the owner approved",
    ("credit", "approve"): "the caller's own credits",
    ("credit", "permit"): "as far as the owner signed",
    ("credit", "burn"): "the caller's own credits",
    ("credit", "burn_from"): "as far as the owner approved",
    ("exchange", "void"): "after the deadline; nobody's account changes",
    ("exchange", "unwind"): "of a void slot, exactly what was settled",
    ("escrow", "deposit"): "the caller's own credits",
    ("escrow", "request_withdrawal"): "the caller's own account",
    ("escrow", "withdraw"): "the caller's own account",
    ("escrow", "cancel_all"): "the caller's own account",
    ("escrow", "post_order"): "the caller's own signed order",
    ("challenges", "post_bond"): "the caller's own credits",
    ("challenges", "challenge_missing"): "the caller's own stake",
    ("challenges", "challenge_left_out"): "the caller's own stake",
    ("challenges", "answer_in_book"): "proof is proof, whoever brings it",
    ("challenges", "answer_cancelled"): "proof is proof, whoever brings it",
    ("challenges", "answer_filled"): "proof is proof, whoever brings it",
    ("challenges", "uphold"): "after the time to answer",
    ("issuance", "mint"): "exactly what the issuer committed to, to the device's owner",
    ("certificates", "retire"): "the caller's own certificates",
    ("certificates", "retire_pairs"): "the caller's own certificates and consumption",
    ("certificates", "export"): "the caller's own certificates",
    ("certificates", "setApprovalForAll"): "the caller's own certificates",
    ("certificates", "safeTransferFrom"): "as far as the owner approved",
    ("certificates", "safeBatchTransferFrom"): "as far as the owner approved",
}


def test_every_function_that_changes_something_is_in_the_table(world: World) -> None:
    changing = {
        (name, entry["name"])
        for name in CONTRACTS
        for entry in getattr(world.contracts, name).interface.artifact.abi
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }
    assert changing == set(LIMITS) | set(OPEN)
    assert not set(LIMITS) & set(OPEN)


def test_no_function_takes_ether_and_nothing_receives_it_by_default(world: World) -> None:
    for name in CONTRACTS:
        abi = getattr(world.contracts, name).interface.artifact.abi
        assert not [entry for entry in abi if entry.get("stateMutability") == "payable"]
        assert not [entry for entry in abi if entry["type"] in ("fallback", "receive")]


def callers(world: World) -> dict[str, bytes]:
    parties = {name: key.address for name, key in world.keys.items()}
    parties |= {name: getattr(world.contracts, name).address for name in CONTRACTS}
    parties |= {"a member": world.members[0].address, "a stranger": world.strangers[0].address}
    return parties


@pytest.mark.parametrize(("contract", "function"), LIMITS, ids=" ".join)
def test_a_function_refuses_everybody_but_whom_it_is_there_for(world: World, contract: str, function: str) -> None:
    limit = LIMITS[contract, function]
    target: Contract = getattr(world.contracts, contract)
    data = target.interface.call(function, *limit.arguments)
    found: dict[str, str | None] = {}
    for name, address in callers(world).items():
        found[name] = reason_of(world.chain.call, target.address, data, sender=address)
    # Whom it is there for may be told that it is too early, and the like.
    assert {name for name, answer in found.items() if answer != limit.refusal} == set(limit.allowed)


def test_no_other_role_settles_a_trade(closed: World) -> None:
    (trade,) = split(pair(closed, 5))
    for who in sorted(set(closed.keys) - {"operator"}):
        with refused("exchange: not the operator"):
            settle_chunk(run_by(closed, closed.keys[who]), trade, more=False)
    assert position(closed, 0) == 0
