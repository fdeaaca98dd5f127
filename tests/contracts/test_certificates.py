"""Certificates: issued once, transferred with consent, retired once and forever."""

import pytest

from ledger.abi import Contract, interface
from ledger.certificates import token_id
from ledger.deployment import CERTIFICATE_LIFETIME_S
from ledger.transactions import build
from tests.contracts.devices import (
    DEVICE,
    LOAD,
    NAMEPLATE_W,
    TOKEN,
    certificates,
    certify,
    held,
    register,
    send,
)
from tests.world import MARKET, SLOT, World, refused

OTHER_MARKET = b"lugano".ljust(32, b"\0")
LAST_SECOND = SLOT + CERTIFICATE_LIFETIME_S - 1


@pytest.fixture
def solar(world: World) -> World:
    """Member 0 owns a solar device."""
    register(world, DEVICE, world.members[0].address)
    return world


@pytest.fixture
def issued(solar: World) -> World:
    """Member 0's device generated 500 Wh in the slot."""
    certify(solar, [(DEVICE, 500)])
    return solar


def totals(world: World, token: int = TOKEN) -> tuple[int, int]:
    read = certificates(world).read
    return read("issued_of", token), read("retired_of", token)


def events(contract: Contract, receipt: object) -> list[tuple[str, dict[str, object]]]:
    decoded = [contract.interface.decode_event(log) for log in receipt.logs]  # type: ignore[attr-defined]
    return [(event.name, event.arguments) for event in decoded if event]


# ------------------------------------------------------------------------------------------- deployment


@pytest.mark.parametrize("role", ["issuer", "registrar"])
def test_certificates_need_an_issuer_and_a_registrar(world: World, role: str) -> None:
    parties = {"issuer": b"\1" * 20, "registrar": b"\2" * 20, role: bytes(20)}
    data = interface("certificates").creation(*parties.values(), 1)
    with refused(f"certificates: {role}"):
        build(world.chain, world.strangers[0], to=None, data=data)


def test_the_contract_names_its_parties_and_interfaces(world: World) -> None:
    read = certificates(world).read
    assert read("issuer") == world.keys["issuer"].address
    assert read("registrar") == world.keys["registrar"].address
    assert read("lifetime_s") == CERTIFICATE_LIFETIME_S
    supported = {"01ffc9a7": True, "d9b67a26": True, "ffffffff": False}
    assert {number: read("supportsInterface", bytes.fromhex(number)) for number in supported} == supported


# --------------------------------------------------------------------------------------------- issuance


def test_generation_is_issued_to_the_devices_owner(solar: World) -> None:
    owner = solar.members[0].address
    receipt = certify(solar, [(DEVICE, 500)])
    assert held(solar, owner) == 500
    assert totals(solar) == (500, 0)
    issuer = solar.keys["issuer"].address
    transfer = {"_operator": issuer, "_from": bytes(20), "_to": owner, "_id": TOKEN, "_value": 500}
    assert events(certificates(solar), receipt) == [
        ("TransferSingle", transfer),
        ("Certified", {"market": MARKET, "slot": SLOT, "issuances": 1, "moves": 0}),
    ]


def test_the_token_id_says_what_it_certifies(world: World) -> None:
    for device, slot in ((DEVICE, SLOT), (0, 0), (2**64 - 1, SLOT + 300), (1, 2**40 - 1)):
        token = certificates(world).read("token_id", device, slot)
        assert token == token_id(device, slot)
        assert (token >> 136, token >> 72 & 2**64 - 1, token >> 8 & 2**64 - 1, token & 255) == (
            1,
            device,
            slot // 300,
            0,
        )


@pytest.mark.parametrize("who", ["registrar", "owner", "operator", "meter_authority", "deployer"])
def test_only_the_issuer_certifies(solar: World, who: str) -> None:
    solar.at(SLOT + 900)
    with refused("certificates: not the issuer"):
        send(solar, who, "certify", MARKET, SLOT, [(DEVICE, 500)], [])


@pytest.mark.parametrize("where", ["one call", "two calls"])
def test_the_same_generation_is_not_issued_twice(solar: World, where: str) -> None:
    if where == "two calls":
        certify(solar, [(DEVICE, 500)])
    with refused("certificates: issued"):
        certify(solar, [(DEVICE, 1)] * (1 if where == "two calls" else 2))


def test_generation_that_was_retired_is_not_issued_again(issued: World) -> None:
    send(issued, issued.members[0], "retire", TOKEN, 500)
    with refused("certificates: issued"):
        certify(issued, [(DEVICE, 500)])


def test_the_next_slot_and_the_next_device_are_other_certificates(issued: World) -> None:
    owner = issued.members[0].address
    register(issued, DEVICE + 1, owner)
    certify(issued, [(DEVICE + 1, 3)])
    certify(issued, [(DEVICE, 4)], slot=SLOT + 900)
    tokens = [token_id(DEVICE, SLOT), token_id(DEVICE + 1, SLOT), token_id(DEVICE, SLOT + 900)]
    assert [held(issued, owner, token) for token in tokens] == [500, 3, 4]


def test_a_slot_is_certified_when_it_is_over_and_not_a_second_before(solar: World) -> None:
    solar.at(SLOT + 899)
    with refused("certificates: slot not over"):
        send(solar, "issuer", "certify", MARKET, SLOT, [(DEVICE, 500)], [])
    solar.at(SLOT + 900)
    send(solar, "issuer", "certify", MARKET, SLOT, [(DEVICE, 500)], [])


def test_what_comes_too_late_to_be_used_can_be_issued_and_not_moved(solar: World) -> None:
    solar.at(LAST_SECOND + 1)
    with refused("certificates: expired"):
        certify(solar, [(DEVICE, 500)], [(DEVICE, solar.members[1].address, 1, False)])
    with refused("certificates: expired"):
        certify(solar, [(DEVICE, 500)], [(DEVICE, solar.members[0].address, 1, True)])
    certify(solar, [(DEVICE, 500)])


def test_a_slot_out_of_time_is_not_certified(solar: World) -> None:
    solar.at(SLOT + 900)
    slot = 2**40 // 900 * 900 + 900
    with refused("certificates: slot"):
        send(solar, "issuer", "certify", MARKET, slot, [(DEVICE, 500)], [])


def test_what_is_not_a_slot_is_not_certified(solar: World) -> None:
    with refused("certificates: slot"):
        certify(solar, [(DEVICE, 500)], slot=SLOT + 300)


@pytest.mark.parametrize(("slot_length_s", "most"), [(300, 333), (900, 1_000), (1_800, 2_000), (3_600, 4_000)])
def test_a_device_generates_at_most_its_nameplate_power(world: World, slot_length_s: int, most: int) -> None:
    assert NAMEPLATE_W == 4_000
    register(world, DEVICE, world.members[0].address, slot_length_s=slot_length_s)
    slot = SLOT // 3_600 * 3_600
    world.time.now = SLOT + 3_600
    with refused("certificates: nameplate"):
        certify(world, [(DEVICE, most + 1)], slot=slot)
    certify(world, [(DEVICE, most)], slot=slot)


def test_an_amount_that_overflows_is_refused(solar: World) -> None:
    with refused(""):  # checked arithmetic's own refusal
        certify(solar, [(DEVICE, 2**256 - 1)])


def test_an_issuance_of_nothing_is_refused(solar: World) -> None:
    with refused("certificates: empty"):
        certify(solar, [(DEVICE, 0)])


def test_a_load_generates_nothing(world: World) -> None:
    register(world, DEVICE, world.members[0].address, technology=LOAD)
    with refused("certificates: not a generator"):
        certify(world, [(DEVICE, 1)])


@pytest.mark.parametrize("market", [MARKET, OTHER_MARKET, bytes(32)])
def test_an_unknown_device_generates_nothing(world: World, market: bytes) -> None:
    with refused("certificates: no such device"):
        certify(world, [(DEVICE, 1)], market=market)


def test_a_device_is_certified_in_its_own_market_only(solar: World) -> None:
    with refused("certificates: market"):
        certify(solar, [(DEVICE, 1)], market=OTHER_MARKET)


def test_one_bad_issuance_undoes_the_whole_certification(solar: World) -> None:
    with refused("certificates: no such device"):
        certify(solar, [(DEVICE, 5), (DEVICE + 1, 5)])
    assert totals(solar) == (0, 0)


# ----------------------------------------------------------------------------------------------- moves


def test_certificates_go_to_the_buyer_or_are_retired_for_it(solar: World) -> None:
    owner, buyer, other = (key.address for key in solar.members[:3])
    moves = [(DEVICE, buyer, 100, False), (DEVICE, other, 50, True), (DEVICE, owner, 30, True)]
    certify(solar, [(DEVICE, 500)], moves)
    assert [held(solar, account) for account in (owner, buyer, other)] == [320, 100, 0]
    read = certificates(solar).read
    assert [read("retired_by", account, TOKEN) for account in (owner, buyer, other)] == [30, 0, 50]
    assert totals(solar) == (500, 80)


def test_a_retired_move_is_logged_as_transfer_burn_and_claim(solar: World) -> None:
    owner, buyer = (key.address for key in solar.members[:2])
    receipt = certify(solar, [(DEVICE, 500)], [(DEVICE, buyer, 50, True)])
    issuer = solar.keys["issuer"].address
    token = {"_operator": issuer, "_id": TOKEN}
    claim = {"claimIssuer": issuer, "claimSubject": buyer, "topic": 1, "id": TOKEN, "value": 50, "claimData": b""}
    assert events(certificates(solar), receipt)[1:] == [
        ("TransferSingle", {**token, "_from": owner, "_to": buyer, "_value": 50}),
        ("TransferSingle", {**token, "_from": buyer, "_to": bytes(20), "_value": 50}),
        ("ClaimSingle", claim),
        ("Certified", {"market": MARKET, "slot": SLOT, "issuances": 1, "moves": 1}),
    ]


@pytest.mark.parametrize("retired", [True, False])
def test_no_more_is_moved_than_was_issued(solar: World, retired: bool) -> None:
    buyer = solar.members[1].address
    with refused("certificates: balance"):
        certify(solar, [(DEVICE, 500)], [(DEVICE, buyer, 501, retired)])
    with refused("certificates: balance"):
        certify(solar, [(DEVICE, 500)], [(DEVICE, buyer, 300, retired), (DEVICE, buyer, 201, retired)])
    certify(solar, [(DEVICE, 500)], [(DEVICE, buyer, 500, retired)])


def test_no_more_is_retired_for_the_owner_than_was_issued(solar: World) -> None:
    with refused("certificates: balance"):
        certify(solar, [(DEVICE, 500)], [(DEVICE, solar.members[0].address, 501, True)])


def test_nothing_is_moved_that_is_not_issued_with_it(issued: World) -> None:
    producer, buyer = issued.members[0].address, issued.members[1].address
    register(issued, DEVICE + 1, producer)
    for issuances in ([], [(DEVICE + 1, 5)]):
        with refused("certificates: issuance"):
            certify(issued, issuances, [(DEVICE, buyer, 1, False)])
        with refused("certificates: issuance"):
            certify(issued, issuances, [(DEVICE, producer, 1, True)])
    assert held(issued, producer) == 500


def test_what_stays_with_the_owner_is_no_move(solar: World) -> None:
    with refused("certificates: move to the owner"):
        certify(solar, [(DEVICE, 500)], [(DEVICE, solar.members[0].address, 1, False)])


def test_certificates_are_not_moved_to_a_contract_unasked(solar: World) -> None:
    for retired in (True, False):
        with refused("certificates: receiver"):
            certify(solar, [(DEVICE, 500)], [(DEVICE, solar.exchange.address, 1, retired)])


def test_nothing_is_moved_to_nobody(solar: World) -> None:
    with refused("certificates: no receiver"):
        certify(solar, [(DEVICE, 500)], [(DEVICE, bytes(20), 1, False)])


def test_a_move_of_nothing_is_not_retired(solar: World) -> None:
    with refused("certificates: empty"):
        certify(solar, [(DEVICE, 500)], [(DEVICE, solar.members[1].address, 0, True)])


def test_at_most_256_issuances_and_1024_moves_come_at_once(solar: World) -> None:
    issuance, move = (DEVICE, 0), (DEVICE + 1, bytes(20), 1, False)
    with refused("certificates: empty"):
        certify(solar, [issuance] * 256)
    with refused("certificates: issuance"):
        certify(solar, [], [move] * 1_024)
    for issuances, moves in (([issuance] * 257, []), ([], [move] * 1_025)):
        with refused(""):  # the ABI decoder's own refusal
            certify(solar, issuances, moves)


# ----------------------------------------------------------------------------------- retirement and expiry


def test_a_holder_retires_its_certificates_once_and_forever(issued: World) -> None:
    owner = issued.members[0]
    receipt = send(issued, owner, "retire", TOKEN, 200)
    assert held(issued, owner.address) == 300
    assert certificates(issued).read("retired_by", owner.address, TOKEN) == 200
    assert totals(issued) == (500, 200)
    assert [name for name, _ in events(certificates(issued), receipt)] == ["TransferSingle", "ClaimSingle"]
    with refused("certificates: balance"):
        send(issued, owner, "retire", TOKEN, 301)
    send(issued, owner, "retire", TOKEN, 300)
    with refused("certificates: balance"):
        send(issued, owner, "retire", TOKEN, 1)
    assert totals(issued) == (500, 500)


def test_retired_certificates_are_not_transferred(issued: World) -> None:
    owner, other = issued.members[0], issued.members[1].address
    send(issued, owner, "retire", TOKEN, 500)
    with refused("certificates: balance"):
        send(issued, owner, "safeTransferFrom", owner.address, other, TOKEN, 1, b"")


def test_a_retirement_of_nothing_is_refused(issued: World) -> None:
    with refused("certificates: empty"):
        send(issued, issued.members[0], "retire", TOKEN, 0)


def test_nobody_retires_what_it_does_not_hold(issued: World) -> None:
    with refused("certificates: balance"):
        send(issued, issued.members[1], "retire", TOKEN, 1)


@pytest.mark.parametrize("token", [TOKEN + 1, TOKEN + 256, TOKEN ^ 1 << 136, TOKEN ^ 1 << 200, 0])
def test_what_was_not_issued_is_not_retired(issued: World, token: int) -> None:
    with refused("certificates: not issued"):
        send(issued, issued.members[0], "retire", token, 1)


def test_an_expired_certificate_is_neither_retired_nor_transferred(issued: World) -> None:
    owner, other = issued.members[0], issued.members[1].address
    issued.at(LAST_SECOND + 1)
    with refused("certificates: expired"):
        send(issued, owner, "retire", TOKEN, 1)
    with refused("certificates: expired"):
        send(issued, owner, "safeTransferFrom", owner.address, other, TOKEN, 1, b"")
    with refused("certificates: expired"):
        send(issued, owner, "safeBatchTransferFrom", owner.address, other, [TOKEN], [1], b"")


@pytest.mark.parametrize("what", ["retire", "transfer"])
def test_a_certificate_lives_until_its_last_second(issued: World, what: str) -> None:
    owner, other = issued.members[0], issued.members[1].address
    issued.at(LAST_SECOND)
    if what == "retire":
        send(issued, owner, "retire", TOKEN, 1)
    else:
        send(issued, owner, "safeTransferFrom", owner.address, other, TOKEN, 1, b"")
    assert held(issued, owner.address) == 499
