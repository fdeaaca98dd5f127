# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Certificates: guarantees of origin for what one device generated, or gave back, or consumed in one slot, in Wh
@license GNU Affero General Public License v3.0 only
@notice ERC-1155, with ERC-1888's claims. How ids are made, and what is kept of each, is in `records.vy`; who owns which
        device is in the Devices contract; what is issued the Issuance contract decides. There are four kinds:

            1 GENERATION   what a generator generated
            2 STORED       what a storage gave back, of the origin of what charged it
            3 IMPORTED     what another registry certified; the import's number stands in the device's place
            4 CONSUMPTION  what a load consumed. Not transferable: its owner holds what no certificate was claimed
                           for yet, and claiming one against it burns as much of it

        Nothing is issued twice, moves after it was withdrawn, or is used again once it is retired; and nothing at all
        happens to what has expired.

        One thing: the token. A quarter of it are views, most of them of its two standards; the rest are the few ways
        in which what is kept of a certificate changes, so that all that may happen to one is read in one place.
        Units: energy in Wh, time in Unix seconds UTC.
"""

from snekmate.tokens.interfaces import IERC1155
from snekmate.tokens.interfaces import IERC1155Receiver

from contracts import records
from contracts import titles

implements: IERC1155

initializes: records


interface Devices:
    def issuer() -> address: view
    def word_of(device: uint64) -> uint256: view
    def same_zone(one: uint256, other: uint256) -> bool: view


# A certificate, and its device's word.
struct Entry:
    id: uint256
    title: uint256


# Wh that their holder retires against its own consumption in the same slot.
struct Pair:
    id: uint256
    consumption_id: uint256
    amount_wh: uint256


struct Claim:
    # Whose claim it is; zero for the holder.
    beneficiary: address
    # 1 consumption, 2 disclosure, 3 product, 4 cancellation without a claim
    purpose: uint256
    # Where it is used: ISO 3166-1, or empty.
    country: String[2]
    # When: starts of the first and the last slot.
    first_slot: uint256
    last_slot: uint256
    # Salted hash of words that are nobody else's business.
    text_hash: bytes32


struct Record:
    owner: address
    issued_wh: uint256
    held_by_owner_wh: uint256
    retired_wh: uint256
    exists: bool
    withdrawn: bool
    expires_at: uint256


event Withdrawn:
    id: indexed(uint256)
    frozen_wh: uint256
    reason: String[128]


event Exported:
    holder: indexed(address)
    registry: String[32]
    serial: String[64]
    ids: DynArray[uint256, BATCH_SIZE]
    amounts: DynArray[uint256, BATCH_SIZE]


# ERC-1888
event ClaimSingle:
    claimIssuer: indexed(address)
    claimSubject: indexed(address)
    topic: indexed(uint256)
    id: uint256
    value: uint256
    claimData: Bytes[224]


# ERC-1888, but that the topics can be read, and not only their hash; and as all ids of a batch are one claim, there is
# one topic, and its data once.
event ClaimBatch:
    claimIssuer: indexed(address)
    claimSubject: indexed(address)
    topics: DynArray[uint256, 1]
    ids: DynArray[uint256, BATCH_SIZE]
    values: DynArray[uint256, BATCH_SIZE]
    claimData: DynArray[Bytes[224], 1]


BATCH_SIZE: constant(uint256) = 128
MAX_SLOTS: constant(uint256) = 100
MAX_PURPOSE: constant(uint256) = 4
MAX_TIME: constant(uint256) = 2**40 - 1

# Topics of claims: retired by their holder; matched with the consumption of another than the device's owner, or of
# the owner itself; put into a storage; handed over to another registry.
RETIRED: constant(uint256) = 1
MATCHED: constant(uint256) = 2
SELF_CONSUMED: constant(uint256) = 3
INTO_STORAGE: constant(uint256) = 4
EXPORTED: constant(uint256) = 5

LETTER_A: constant(uint256) = 65
LETTER_Z: constant(uint256) = 90

ERC165_ID: constant(bytes4) = 0x01ffc9a7
ERC1155_ID: constant(bytes4) = 0xd9b67a26
RECEIVED: constant(bytes4) = 0xf23a6e61
BATCH_RECEIVED: constant(bytes4) = 0xbc197c81

DEVICES: immutable(Devices)
ISSUANCE: immutable(address)

isApprovedForAll: public(HashMap[address, HashMap[address, bool]])
# By the import's number, laid out as a device's title.
import_titles: HashMap[uint64, uint256]
# By the hash of holder, registry and serial number: nobody takes a serial number from another.
export_serials: HashMap[bytes32, bool]


@deploy
def __init__(devices: address, issuance: address, lifetime_s: uint256):
    """
    @param devices Knows who owns which device, and who the issuer is.
    @param issuance The contract that issues here, and nobody else.
    @param lifetime_s How long after its slot a certificate can be transferred and retired.
    """
    assert devices != empty(address), "certificates: devices"
    assert issuance != empty(address), "certificates: issuance"
    DEVICES = Devices(devices)
    ISSUANCE = issuance
    records.__init__(lifetime_s)


# ------------------------------------------------------------------------------------------------------ issuance


@external
def issue(id: uint256, title: uint256, amount_wh: uint256):
    """
    @notice Issue to the device's owner.
    @param title The device's word, or the import's.
    """
    self._check_issuance()
    if records.kind_of(id) == records.IMPORTED:
        self.import_titles[records.device_of(id)] = title
    records.issue(id, title, amount_wh)
    self._log_transfer(empty(address), titles.owner_of(title), id, amount_wh)


@external
def issue_all(title: uint256, ids: DynArray[uint256, MAX_SLOTS], amounts: DynArray[uint256, MAX_SLOTS]):
    """
    @notice Issue several slots of one device to its owner.
    """
    self._check_issuance()
    for i: uint256 in range(len(ids), bound=MAX_SLOTS):
        records.issue(ids[i], title, amounts[i])
    log IERC1155.TransferBatch(
        _operator=msg.sender, _from=empty(address), _to=titles.owner_of(title), _ids=ids, _values=amounts
    )


@external
def move(id: uint256, title: uint256, account: address, amount_wh: uint256):
    """
    @notice Hand on what was just issued to the device's owner, to whom bought the energy.
    """
    self._check_issuance()
    owner: address = titles.owner_of(title)
    self._transfer(owner, account, id, title, amount_wh)
    self._log_transfer(owner, account, id, amount_wh)


@external
def match(issuer: address, source: Entry, sink: Entry, amount_wh: uint256):
    """
    @notice Retire what was just issued to the device's owner against consumption.
    """
    self._check_issuance()
    self._match(issuer, titles.owner_of(source.title), source, sink, amount_wh)


@external
def claim_rest(consumption: Entry) -> uint256:
    """
    @notice Nothing will be claimed for the rest of this consumption any more.
    @return How much that is.
    """
    self._check_issuance()
    rest_wh: uint256 = records.held_by_owner_wh(records.record_of(consumption.id, consumption.title))
    if rest_wh > 0:
        self._claim_consumption(consumption, rest_wh)
    return rest_wh


@external
def withdraw(id: uint256, reason: String[128]):
    """
    @notice What of a certificate is not retired yet stays where it is, and is worth nothing from now on.
    """
    self._check_issuer()
    title: uint256 = self._title_of(id)
    record: uint256 = records.record_of(id, title)
    assert records.exists(record), "certificates: nothing to withdraw"
    assert not records.is_withdrawn(record), "certificates: already withdrawn"
    assert block.timestamp < records.expires_at(id), "certificates: expired"
    records.withdraw(id, title)
    log Withdrawn(id=id, frozen_wh=records.issued_wh(record) - records.retired_wh(record), reason=reason)


# ---------------------------------------------------------------------------------------------------- retirement


@external
def retire(
    ids: DynArray[uint256, BATCH_SIZE], amounts: DynArray[uint256, BATCH_SIZE], claim: Claim
):
    """
    @notice Retire the caller's certificates, once and forever, for what the claim says.
    """
    assert claim.purpose > 0 and claim.purpose <= MAX_PURPOSE, "certificates: purpose"
    self._check_country(claim.country)
    assert claim.first_slot <= claim.last_slot, "certificates: period"
    assert claim.last_slot <= MAX_TIME, "certificates: period out of time"
    subject: address = claim.beneficiary
    if subject == empty(address):
        subject = msg.sender
    data: Bytes[224] = abi_encode(
        claim.purpose, claim.country, claim.first_slot, claim.last_slot, claim.text_hash
    )
    self._retire_all(subject, RETIRED, ids, amounts, data)


@external
def retire_pairs(pairs: DynArray[Pair, BATCH_SIZE]):
    """
    @notice Retire the caller's certificates against its own consumption in the same zone and slot.
    """
    issuer: address = staticcall DEVICES.issuer()
    for pair: Pair in pairs:
        source: Entry = Entry(id=pair.id, title=self._title_of(pair.id))
        sink: Entry = Entry(id=pair.consumption_id, title=self._title_of(pair.consumption_id))
        assert titles.owner_of(sink.title) == msg.sender, "certificates: consumption of another"
        self._match(issuer, msg.sender, source, sink, pair.amount_wh)


@external
def export(
    ids: DynArray[uint256, BATCH_SIZE],
    amounts: DynArray[uint256, BATCH_SIZE],
    registry: String[32],
    serial: String[64],
):
    """
    @notice Retire the caller's certificates, so that another registry certifies them under a serial number, which the
            caller uses once.
    """
    assert len(registry) > 0, "certificates: export to no registry"
    assert len(serial) > 0, "certificates: export without a serial"
    key: bytes32 = keccak256(abi_encode(msg.sender, registry, serial))
    assert not self.export_serials[key], "certificates: exported"
    self.export_serials[key] = True
    self._retire_all(msg.sender, EXPORTED, ids, amounts, abi_encode(registry, serial))
    log Exported(holder=msg.sender, registry=registry, serial=serial, ids=ids, amounts=amounts)


@internal
def _retire_all(
    subject: address,
    topic: uint256,
    ids: DynArray[uint256, BATCH_SIZE],
    amounts: DynArray[uint256, BATCH_SIZE],
    data: Bytes[224],
):
    """
    @notice The caller gives certificates up, and `subject` claims them.
    """
    assert len(ids) > 0, "certificates: none"
    assert len(ids) == len(amounts), "certificates: lengths"
    issuer: address = staticcall DEVICES.issuer()
    for i: uint256 in range(len(ids), bound=BATCH_SIZE):
        title: uint256 = self._title_of(ids[i])
        assert records.kind_of(ids[i]) != records.CONSUMPTION, "certificates: consumption is not retired"
        assert amounts[i] > 0, "certificates: empty"
        records.retire(msg.sender, subject, ids[i], title, amounts[i])
    if len(ids) == 1:
        self._log_transfer(msg.sender, empty(address), ids[0], amounts[0])
        self._log_claim(issuer, subject, topic, ids[0], amounts[0], data)
    else:
        log IERC1155.TransferBatch(
            _operator=msg.sender, _from=msg.sender, _to=empty(address), _ids=ids, _values=amounts
        )
        log ClaimBatch(
            claimIssuer=issuer,
            claimSubject=subject,
            topics=[topic],
            ids=ids,
            values=amounts,
            claimData=[data],
        )


@internal
def _match(issuer: address, holder: address, source: Entry, sink: Entry, amount_wh: uint256):
    """
    @notice Retire certificates of the holder against consumption, for whom consumed.
    """
    assert records.kind_of(source.id) != records.CONSUMPTION, "certificates: consumption for consumption"
    assert records.kind_of(sink.id) == records.CONSUMPTION, "certificates: not a consumption"
    area: uint256 = titles.area_of(source.title)
    other: uint256 = titles.area_of(sink.title)
    if area != other:
        assert staticcall DEVICES.same_zone(area, other), "certificates: zone"
    assert records.slot_of(source.id) == records.slot_of(sink.id), "certificates: other slot"
    assert titles.slot_units_of(source.title) == titles.slot_units_of(sink.title), "certificates: slot lengths"
    assert amount_wh > 0, "certificates: empty"
    consumer: address = titles.owner_of(sink.title)
    records.retire(holder, consumer, source.id, source.title, amount_wh)
    self._log_transfer(holder, empty(address), source.id, amount_wh)
    self._claim_consumption(sink, amount_wh)
    topic: uint256 = MATCHED
    if titles.kind_of(sink.title) == titles.CHARGE:
        topic = INTO_STORAGE
    elif consumer == titles.owner_of(source.title) and records.kind_of(source.id) != records.IMPORTED:
        topic = SELF_CONSUMED
    self._log_claim(issuer, consumer, topic, source.id, amount_wh, abi_encode(sink.id))


@internal
def _claim_consumption(sink: Entry, amount_wh: uint256):
    consumer: address = titles.owner_of(sink.title)
    records.retire(consumer, consumer, sink.id, sink.title, amount_wh)
    self._log_transfer(consumer, empty(address), sink.id, amount_wh)


# ------------------------------------------------------------------------------------------------------ transfer


@external
def safeTransferFrom(owner: address, to: address, id: uint256, amount: uint256, data: Bytes[1_024]):
    self._check_approved(owner)
    self._transfer(owner, to, id, self._title_of(id), amount)
    self._log_transfer(owner, to, id, amount)
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
        self._transfer(owner, to, ids[i], self._title_of(ids[i]), amounts[i])
    log IERC1155.TransferBatch(_operator=msg.sender, _from=owner, _to=to, _ids=ids, _values=amounts)
    if to.is_contract:
        answer: bytes4 = extcall IERC1155Receiver(to).onERC1155BatchReceived(msg.sender, owner, ids, amounts, data)
        assert answer == BATCH_RECEIVED, "certificates: receiver"


@external
def setApprovalForAll(operator: address, approved: bool):
    assert operator != msg.sender, "certificates: own operator"
    self.isApprovedForAll[msg.sender][operator] = approved
    log IERC1155.ApprovalForAll(_owner=msg.sender, _operator=operator, _approved=approved)


@internal
def _transfer(owner: address, to: address, id: uint256, title: uint256, amount_wh: uint256):
    assert to != empty(address), "certificates: no receiver"
    assert records.kind_of(id) != records.CONSUMPTION, "certificates: consumption does not move"
    records.transfer(owner, to, id, title, amount_wh)


# ------------------------------------------------------------------------------------------------ what is common


@internal
@view
def _check_issuer():
    assert msg.sender == staticcall DEVICES.issuer(), "certificates: not the issuer"


@internal
@view
def _check_issuance():
    assert msg.sender == ISSUANCE, "certificates: not the issuance"


@internal
@pure
def _check_country(country: String[2]):
    assert len(country) != 1, "certificates: country"
    letters: Bytes[2] = convert(country, Bytes[2])
    for place: uint256 in range(len(letters), bound=2):
        letter: uint256 = convert(slice(letters, place, 1), uint256)
        assert letter >= LETTER_A and letter <= LETTER_Z, "certificates: letters of the country"


@internal
@view
def _check_approved(owner: address):
    assert owner == msg.sender or self.isApprovedForAll[owner][msg.sender], "certificates: not approved"


@internal
@view
def _title_of(id: uint256) -> uint256:
    """
    @return The word of the id's device or import; 0 if there is none.
    """
    device: uint64 = records.device_of(id)
    if records.kind_of(id) == records.IMPORTED:
        return self.import_titles[device]
    return staticcall DEVICES.word_of(device)


@internal
def _log_transfer(owner: address, to: address, id: uint256, amount_wh: uint256):
    log IERC1155.TransferSingle(_operator=msg.sender, _from=owner, _to=to, _id=id, _value=amount_wh)


@internal
def _log_claim(issuer: address, subject: address, topic: uint256, id: uint256, amount_wh: uint256, data: Bytes[224]):
    log ClaimSingle(
        claimIssuer=issuer, claimSubject=subject, topic=topic, id=id, value=amount_wh, claimData=data
    )


# --------------------------------------------------------------------------------------------------------- views


@external
@view
def balanceOf(account: address, id: uint256) -> uint256:
    """
    @return Wh that the account holds of the certificate: usable while it is neither expired nor withdrawn.
    """
    return records.held_wh(account, id, self._title_of(id))


@external
@view
def balanceOfBatch(
    owners: DynArray[address, BATCH_SIZE], ids: DynArray[uint256, BATCH_SIZE]
) -> DynArray[uint256, BATCH_SIZE]:
    assert len(owners) == len(ids), "certificates: lengths"
    balances: DynArray[uint256, BATCH_SIZE] = []
    for i: uint256 in range(len(owners), bound=BATCH_SIZE):
        balances.append(records.held_wh(owners[i], ids[i], self._title_of(ids[i])))
    return balances


@external
@view
def claimedBalanceOf(account: address, id: uint256) -> uint256:
    """
    @return Wh of the certificate that were retired for the account (ERC-1888).
    """
    return records.claimed_wh(account, id, self._title_of(id))


@external
@view
def claimedBalanceOfBatch(
    owners: DynArray[address, BATCH_SIZE], ids: DynArray[uint256, BATCH_SIZE]
) -> DynArray[uint256, BATCH_SIZE]:
    assert len(owners) == len(ids), "certificates: lengths"
    balances: DynArray[uint256, BATCH_SIZE] = []
    for i: uint256 in range(len(owners), bound=BATCH_SIZE):
        balances.append(records.claimed_wh(owners[i], ids[i], self._title_of(ids[i])))
    return balances


@external
@view
def issued_of(id: uint256) -> uint256:
    """
    @return Wh issued under the id.
    """
    return records.issued_wh(records.record_of(id, self._title_of(id)))


@external
@view
def retired_of(id: uint256) -> uint256:
    """
    @return Wh retired under the id, for all accounts together.
    """
    return records.retired_wh(records.record_of(id, self._title_of(id)))


@external
@view
def state_of(id: uint256) -> Record:
    """
    @return All zero if nothing was issued under the id.
    """
    title: uint256 = self._title_of(id)
    record: uint256 = records.record_of(id, title)
    if not records.exists(record):
        return empty(Record)
    return Record(
        owner=titles.owner_of(title),
        issued_wh=records.issued_wh(record),
        held_by_owner_wh=records.held_by_owner_wh(record),
        retired_wh=records.retired_wh(record),
        exists=True,
        withdrawn=records.is_withdrawn(record),
        expires_at=records.expires_at(id),
    )


@external
@view
def title_of(id: uint256) -> uint256:
    """
    @return The word of the id's device, or, laid out alike, of its import; 0 if there is none. See `titles.vy`.
    """
    return self._title_of(id)


@external
@view
def record_word_of(id: uint256, title: uint256) -> uint256:
    """
    @return What is kept of the id: see `records.vy`.
    """
    return records.record_of(id, title)


@external
@view
def is_exported(holder: address, registry: String[32], serial: String[64]) -> bool:
    return self.export_serials[keccak256(abi_encode(holder, registry, serial))]


@external
@pure
def token_id(kind: uint256, device: uint64, slot: uint256, revision: uint256) -> uint256:
    return records.id_of(kind, convert(device, uint256), slot, revision)


@external
@view
def devices() -> address:
    return DEVICES.address


@external
@view
def issuance() -> address:
    return ISSUANCE


@external
@view
def lifetime_s() -> uint256:
    return records.lifetime_s()


@external
@view
def supportsInterface(interface_id: bytes4) -> bool:
    return interface_id in [ERC165_ID, ERC1155_ID]
