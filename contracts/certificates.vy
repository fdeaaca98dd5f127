# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Certificates: guarantees of origin for the generation of one device in one slot, in Wh
@license GNU Affero General Public License v3.0 only
@notice ERC-1155. A token id says what it certifies, so the same generation cannot be issued twice:

            bits 136-143 kind   72-135 device   8-71 slot / 300 s   0-7 revision

        The record of an id holds what was issued and retired, and what of it the device's owner holds and has
        retired, so that issuing writes one word. Every other account has a word of its own per id. Retired Wh are
        gone from circulation for good. Claims are logged as ERC-1888 describes.
        Units: energy in Wh, power in W, time in Unix seconds UTC.
"""

from snekmate.tokens.interfaces import IERC1155
from snekmate.tokens.interfaces import IERC1155Receiver

implements: IERC1155


struct Device:
    owner: address
    market: bytes32
    # What generates: 1 solar. Loads are registered for their meter key only and generate nothing.
    technology: uint256
    nameplate_w: uint256
    slot_length_s: uint256
    # The meter's Ed25519 public key, whose signature is on every reading.
    meter_key: bytes32


# One device's generation in the slot being certified.
struct Issuance:
    device: uint64
    amount_wh: uint256


# Wh of the certification's `issuance` (counted from 0) that leave the device's owner for a buyer, or are retired at
# once for `account`.
struct Move:
    issuance: uint256
    account: address
    amount_wh: uint256
    retire: bool


event DeviceRegistered:
    device: indexed(uint64)
    owner: indexed(address)
    details: Device


event Certified:
    market: indexed(bytes32)
    slot: indexed(uint256)
    issuances: uint256
    moves: uint256


event RoleOffered:
    role: indexed(uint256)
    account: indexed(address)


event RoleTaken:
    role: indexed(uint256)
    account: indexed(address)


# ERC-1888
event ClaimSingle:
    claimIssuer: indexed(address)
    claimSubject: indexed(address)
    topic: indexed(uint256)
    id: uint256
    value: uint256
    claimData: Bytes[64]


BATCH_SIZE: constant(uint256) = 128
MAX_ISSUANCES: constant(uint256) = 256
MAX_MOVES: constant(uint256) = 1_024
MASK_8: constant(uint256) = 2**8 - 1
MASK_16: constant(uint256) = 2**16 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_64: constant(uint256) = 2**64 - 1
MASK_160: constant(uint256) = 2**160 - 1
MAX_TIME: constant(uint256) = 2**40 - 1
# Every allowed slot length is a multiple of this, so no two slots of a device share an id.
SLOT_UNIT_S: constant(uint256) = 300

# Roles.
ISSUER: constant(uint256) = 0
REGISTRAR: constant(uint256) = 1

GENERATION: constant(uint256) = 1
LOAD: constant(uint256) = 0

ERC165_ID: constant(bytes4) = 0x01ffc9a7
ERC1155_ID: constant(bytes4) = 0xd9b67a26
RECEIVED: constant(bytes4) = 0xf23a6e61
BATCH_RECEIVED: constant(bytes4) = 0xbc197c81

LIFETIME_S: immutable(uint256)

# Who certifies generation, and who registers devices; see `offer_role`.
holders: HashMap[uint256, address]
offers: HashMap[uint256, address]
# What every issuance needs: owner (bits 0-159), nameplate (160-191), slot length (192-207), technology (208-215).
device_words: HashMap[uint64, uint256]
device_markets: HashMap[uint64, bytes32]
meter_keys: HashMap[uint64, bytes32]
# id: held by the device's owner (bits 0-63), retired by it (64-127), issued (128-191), retired by all (192-255)
records: HashMap[uint256, uint256]
# id, account other than the owner: held (bits 0-63), retired (64-127)
holdings: HashMap[uint256, HashMap[address, uint256]]
isApprovedForAll: public(HashMap[address, HashMap[address, bool]])


@deploy
def __init__(issuer: address, registrar: address, lifetime_s: uint256):
    """
    @param issuer Certifies generation.
    @param registrar Registers devices.
    @param lifetime_s How long after its slot a certificate can be transferred and retired.
    """
    assert issuer != empty(address), "certificates: issuer"
    assert registrar != empty(address), "certificates: registrar"
    self.holders[ISSUER] = issuer
    self.holders[REGISTRAR] = registrar
    LIFETIME_S = lifetime_s


@external
def offer_role(role: uint256, account: address):
    """
    @notice Offer one's role (0 issuer, 1 registrar) to another account, which then accepts it. Zero takes the offer
            back.
    """
    assert msg.sender == self.holders[role], "certificates: not the holder"
    self.offers[role] = account
    log RoleOffered(role=role, account=account)


@external
def accept_role(role: uint256):
    """
    @notice Take over a role. Its former holder loses it at once.
    """
    assert self.offers[role] == msg.sender, "certificates: not offered"
    self.offers[role] = empty(address)
    self.holders[role] = msg.sender
    log RoleTaken(role=role, account=msg.sender)


@external
def register_device(device: uint64, details: Device):
    """
    @notice Enter a device and its meter's key. A device number is given once.
    """
    assert msg.sender == self.holders[REGISTRAR], "certificates: not the registrar"
    assert self.device_words[device] == 0, "certificates: device exists"
    assert details.owner != empty(address), "certificates: owner"
    assert not details.owner.is_contract, "certificates: owner"
    assert details.meter_key != empty(bytes32), "certificates: meter key"
    assert details.slot_length_s in [300, 900, 1_800, 3_600], "certificates: slot length"
    assert details.technology == LOAD or details.nameplate_w > 0, "certificates: nameplate"
    assert details.nameplate_w <= MASK_32, "certificates: nameplate"
    assert details.technology <= MASK_8, "certificates: technology"
    word: uint256 = convert(details.owner, uint256)
    word |= details.nameplate_w << 160
    word |= details.slot_length_s << 192
    word |= details.technology << 208
    self.device_words[device] = word
    self.device_markets[device] = details.market
    self.meter_keys[device] = details.meter_key
    log DeviceRegistered(device=device, owner=details.owner, details=details)


@external
def certify(
    market: bytes32,
    slot: uint256,
    issuances: DynArray[Issuance, MAX_ISSUANCES],
    moves: DynArray[Move, MAX_MOVES],
):
    """
    @notice Issue certificates for what devices of a market generated in a slot, and move them on: to the buyers of
            the energy, or retired against what their owner or buyer consumed.
    """
    assert msg.sender == self.holders[ISSUER], "certificates: not the issuer"
    for issuance: Issuance in issuances:
        self._issue(market, slot, issuance)
    for move: Move in moves:
        # Only what is issued here can be moved here: whatever stayed with its owner is the owner's to move.
        assert move.issuance < len(issuances), "certificates: issuance"
        device: uint64 = issuances[move.issuance].device
        id: uint256 = self._id(device, slot)
        owner: address = self._owner(device)
        if move.account == owner:
            assert move.retire, "certificates: move to the owner"
        else:
            assert not move.account.is_contract, "certificates: receiver"
            self._transfer(owner, move.account, id, move.amount_wh)
        if move.retire:
            self._retire(move.account, id, move.amount_wh)
    log Certified(market=market, slot=slot, issuances=len(issuances), moves=len(moves))


@external
def retire(id: uint256, amount_wh: uint256):
    """
    @notice Claim certificates for the caller's own consumption: once, forever.
    """
    self._retire(msg.sender, id, amount_wh)


@external
def safeTransferFrom(owner: address, to: address, id: uint256, amount: uint256, data: Bytes[1_024]):
    self._check_approved(owner)
    self._transfer(owner, to, id, amount)
    if to.is_contract:
        answer: bytes4 = extcall IERC1155Receiver(to).onERC1155Received(msg.sender, owner, id, amount, data)
        assert answer == RECEIVED, "certificates: receiver"


@external
def safeBatchTransferFrom(
    owner: address,
    to: address,
    ids: DynArray[uint256, BATCH_SIZE],
    amounts: DynArray[uint256, BATCH_SIZE],
    data: Bytes[1_024],
):
    self._check_approved(owner)
    assert len(ids) == len(amounts), "certificates: lengths"
    for i: uint256 in range(len(ids), bound=BATCH_SIZE):
        self._move(owner, to, ids[i], amounts[i])
    log IERC1155.TransferBatch(_operator=msg.sender, _from=owner, _to=to, _ids=ids, _values=amounts)
    if to.is_contract:
        answer: bytes4 = extcall IERC1155Receiver(to).onERC1155BatchReceived(msg.sender, owner, ids, amounts, data)
        assert answer == BATCH_RECEIVED, "certificates: receiver"


@external
def setApprovalForAll(operator: address, approved: bool):
    assert operator != msg.sender, "certificates: own operator"
    self.isApprovedForAll[msg.sender][operator] = approved
    log IERC1155.ApprovalForAll(_owner=msg.sender, _operator=operator, _approved=approved)


# ------------------------------------------------------------------------------------------------ rules


@internal
def _issue(market: bytes32, slot: uint256, issuance: Issuance):
    device: uint256 = self.device_words[issuance.device]
    slot_length_s: uint256 = (device >> 192) & MASK_16
    assert device != 0, "certificates: no such device"
    assert self.device_markets[issuance.device] == market, "certificates: market"
    assert device >> 208 != LOAD, "certificates: not a generator"
    assert slot % slot_length_s == 0, "certificates: slot"
    assert slot <= MAX_TIME, "certificates: slot"
    assert block.timestamp >= slot + slot_length_s, "certificates: slot not over"
    assert issuance.amount_wh > 0, "certificates: empty"
    # W x s = 3600 Wh
    assert issuance.amount_wh * 3_600 <= ((device >> 160) & MASK_32) * slot_length_s, "certificates: nameplate"
    id: uint256 = self._id(issuance.device, slot)
    assert self.records[id] == 0, "certificates: issued"
    self.records[id] = issuance.amount_wh | (issuance.amount_wh << 128)
    log IERC1155.TransferSingle(
        _operator=msg.sender,
        _from=empty(address),
        _to=convert(device & MASK_160, address),
        _id=id,
        _value=issuance.amount_wh,
    )


@internal
def _transfer(owner: address, to: address, id: uint256, amount_wh: uint256):
    self._move(owner, to, id, amount_wh)
    log IERC1155.TransferSingle(_operator=msg.sender, _from=owner, _to=to, _id=id, _value=amount_wh)


@internal
def _move(owner: address, to: address, id: uint256, amount_wh: uint256):
    assert to != empty(address), "certificates: no receiver"
    self._check_alive(id)
    self._take(owner, id, amount_wh)
    if to == self._producer(id):
        self.records[id] += amount_wh
    else:
        self.holdings[id][to] += amount_wh


@internal
def _retire(account: address, id: uint256, amount_wh: uint256):
    self._check_alive(id)
    assert amount_wh > 0, "certificates: empty"
    self._take(account, id, amount_wh)
    self.records[id] += amount_wh << 192
    if account == self._producer(id):
        self.records[id] += amount_wh << 64
    else:
        self.holdings[id][account] += amount_wh << 64
    log IERC1155.TransferSingle(
        _operator=msg.sender, _from=account, _to=empty(address), _id=id, _value=amount_wh
    )
    log ClaimSingle(
        claimIssuer=self.holders[ISSUER], claimSubject=account, topic=GENERATION, id=id, value=amount_wh, claimData=b""
    )


@internal
def _take(account: address, id: uint256, amount_wh: uint256):
    word: uint256 = self._word(account, id)
    assert amount_wh <= word & MASK_64, "certificates: balance"
    if account == self._producer(id):
        self.records[id] = word - amount_wh
    else:
        self.holdings[id][account] = word - amount_wh


@internal
@view
def _word(account: address, id: uint256) -> uint256:
    """
    @return Held (bits 0-63) and retired (64-127) by the account; above that, nothing or the id's totals.
    """
    if account == self._producer(id):
        return self.records[id]
    return self.holdings[id][account]


@internal
@view
def _owner(device: uint64) -> address:
    return convert(self.device_words[device] & MASK_160, address)


@internal
@view
def _producer(id: uint256) -> address:
    return self._owner(convert((id >> 72) & MASK_64, uint64))


@internal
@view
def _check_alive(id: uint256):
    assert self.records[id] != 0, "certificates: not issued"
    slot: uint256 = ((id >> 8) & MASK_64) * SLOT_UNIT_S
    assert block.timestamp < slot + LIFETIME_S, "certificates: expired"


@internal
@view
def _check_approved(owner: address):
    assert owner == msg.sender or self.isApprovedForAll[owner][msg.sender], "certificates: not approved"


@internal
@pure
def _id(device: uint64, slot: uint256) -> uint256:
    return (GENERATION << 136) | (convert(device, uint256) << 72) | ((slot // SLOT_UNIT_S) << 8)


# ------------------------------------------------------------------------------------------------ views


@external
@view
def balanceOf(account: address, id: uint256) -> uint256:
    """
    @return Wh the account holds of the certificate and may still transfer or retire.
    """
    return self._word(account, id) & MASK_64


@external
@view
def balanceOfBatch(
    owners: DynArray[address, BATCH_SIZE], ids: DynArray[uint256, BATCH_SIZE]
) -> DynArray[uint256, BATCH_SIZE]:
    assert len(owners) == len(ids), "certificates: lengths"
    balances: DynArray[uint256, BATCH_SIZE] = []
    for i: uint256 in range(len(owners), bound=BATCH_SIZE):
        balances.append(self._word(owners[i], ids[i]) & MASK_64)
    return balances


@external
@view
def retired_by(account: address, id: uint256) -> uint256:
    """
    @return Wh of the certificate that the account has retired.
    """
    return (self._word(account, id) >> 64) & MASK_64


@external
@view
def issued_of(id: uint256) -> uint256:
    """
    @return Wh issued under the id.
    """
    return (self.records[id] >> 128) & MASK_64


@external
@view
def retired_of(id: uint256) -> uint256:
    """
    @return Wh retired under the id, by all accounts together.
    """
    return self.records[id] >> 192


@external
@view
def device_of(device: uint64) -> Device:
    word: uint256 = self.device_words[device]
    assert word != 0, "certificates: no such device"
    return Device(
        owner=self._owner(device),
        market=self.device_markets[device],
        technology=word >> 208,
        nameplate_w=(word >> 160) & MASK_32,
        slot_length_s=(word >> 192) & MASK_16,
        meter_key=self.meter_keys[device],
    )


@external
@pure
def token_id(device: uint64, slot: uint256) -> uint256:
    return self._id(device, slot)


@external
@view
def issuer() -> address:
    return self.holders[ISSUER]


@external
@view
def registrar() -> address:
    return self.holders[REGISTRAR]


@external
@view
def lifetime_s() -> uint256:
    return LIFETIME_S


@external
@view
def supportsInterface(interface_id: bytes4) -> bool:
    return interface_id in [ERC165_ID, ERC1155_ID]
