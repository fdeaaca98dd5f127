# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Issuance: which certificates are issued for what devices metered, and how mistakes are put right
@license GNU Affero General Public License v3.0 only
@notice The issuer certifies slot by slot for a market, or some slots of one device, or commits to a day of which anybody
        can have slots minted later. Here are the rules for that: what a device can have metered, that its owner asked
        for it, what a storage gives back of what it took (`lots.vy`), and what a device owes once more of it was
        retired than it metered. The Certificates contract keeps what is issued, and issues each id once.

        One thing: how much is issued. Every way to issue, the corrections among them, goes by the same rules for what
        a device metered, and pays the same debts, so none is elsewhere.

        Units: energy in Wh, power in W, slots in Unix seconds UTC, days in days of 86,400 s since the Unix epoch.
"""

from contracts import lots
from contracts import merkle
from contracts import records
from contracts import titles

initializes: lots


interface Devices:
    def issuer() -> address: view
    def area_count() -> uint256: view
    def word_of(device: uint64) -> uint256: view
    def market_of(area: uint256) -> bytes32: view
    def storage_of(device: uint64) -> uint64: view
    def efficiency_of(device: uint64) -> uint256: view
    def may_issue(device: uint64, slot: uint256, request: uint256) -> bool: view


interface Certificates:
    def issue(id: uint256, title: uint256, amount_wh: uint256): nonpayable
    def issue_all(
        title: uint256, ids: DynArray[uint256, MAX_SLOTS], amounts: DynArray[uint256, MAX_SLOTS]
    ): nonpayable
    def move(id: uint256, title: uint256, account: address, amount_wh: uint256): nonpayable
    def match(issuer: address, source: Entry, sink: Entry, amount_wh: uint256): nonpayable
    def claim_rest(consumption: Entry) -> uint256: nonpayable
    def balanceOf(account: address, id: uint256) -> uint256: view
    def record_word_of(id: uint256, title: uint256) -> uint256: view


# What a device's meter counted in the slot being certified. Of a consumption, 0 for one that is already certified.
struct Metered:
    device: uint64
    amount_wh: uint256


# Wh of the certification's `issuance` (counted from 0) that leave the device's owner for a buyer.
struct Move:
    issuance: uint256
    account: address
    amount_wh: uint256


# Wh of the certification's `issuance` that are retired against its `consumption` (both counted from 0).
struct Match:
    issuance: uint256
    consumption: uint256
    amount_wh: uint256


# Wh of what is issued anew that leave the device's owner for who held some of what was withdrawn.
struct Share:
    account: address
    amount_wh: uint256


# A certificate, and its device's word.
struct Entry:
    id: uint256
    title: uint256


struct ImportDetails:
    registry: String[32]
    serial: String[64]
    to: address
    area: uint256
    slot: uint256
    slot_length_s: uint256
    amount_wh: uint256
    technology: uint256
    fuel: uint256


# A market's day of which certificates are issued when somebody wants them.
struct Day:
    root: bytes32
    leaves: uint256
    total_wh: uint256


event Certified:
    market: indexed(bytes32)
    slot: indexed(uint256)
    issuances: uint256
    consumptions: uint256
    moves: uint256
    matches: uint256


event DayCommitted:
    market: indexed(bytes32)
    day: indexed(uint256)
    root: bytes32
    leaves: uint256
    total_wh: uint256


event Reissued:
    id: indexed(uint256)
    corrected_wh: uint256
    issued_wh: uint256
    shortfall_wh: uint256


event DebtPaid:
    device: indexed(uint64)
    slot: uint256
    amount_wh: uint256


event Imported:
    id: indexed(uint256)
    details: ImportDetails


# What arrays hold at most is paid for in memory even when they are nearly empty.
MAX_METERED: constant(uint256) = 128
MAX_MOVES: constant(uint256) = 256
MAX_SHARES: constant(uint256) = 128
MAX_SLOTS: constant(uint256) = 100
MAX_PLACES: constant(uint256) = 96
MAX_PATH: constant(uint256) = 32
MAX_LOTS: constant(uint256) = 64
MAX_REVISION: constant(uint256) = 15
MAX_AMOUNT_WH: constant(uint256) = 2**31 - 1
MAX_TIME: constant(uint256) = 2**40 - 1
MASK_16: constant(uint256) = 2**16 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_64: constant(uint256) = 2**64 - 1
MASK_128: constant(uint256) = 2**128 - 1
DAY_S: constant(uint256) = 86_400
# A day's leaf has room for quarter hours, and no more.
MIN_DAY_SLOT_S: constant(uint256) = 900

DEVICES: immutable(Devices)
CERTIFICATES: immutable(Certificates)

# What devices still have to give, as more was retired of them than they metered; and how many devices owe.
debt_of: public(HashMap[uint64, uint256])
indebted_count: public(uint256)
# By the id of revision 0: what of that slot's energy is gone: retired under earlier revisions, or given for a debt; as
# far as it did not become a debt (bits 0-127). And what revision 0 gave for a debt (128-).
spent_of: HashMap[uint256, uint256]

import_count: public(uint256)
# By the hash of registry and serial number.
import_ids: HashMap[bytes32, uint256]

day_roots: HashMap[bytes32, HashMap[uint256, bytes32]]
# leaves (bits 0-31), Wh (32-)
day_sizes: HashMap[bytes32, HashMap[uint256, uint256]]


@deploy
def __init__(devices: address, certificates: address):
    """
    @param devices The Devices contract, whose issuer issues here.
    @param certificates The Certificates contract, which nobody else issues in.
    """
    assert devices != empty(address), "issuance: devices"
    assert certificates != empty(address), "issuance: certificates"
    DEVICES = Devices(devices)
    CERTIFICATES = Certificates(certificates)


# ------------------------------------------------------------------------------------------------------ issuance


@external
def certify(
    market: bytes32,
    slot: uint256,
    issuances: DynArray[Metered, MAX_METERED],
    consumptions: DynArray[Metered, MAX_METERED],
    moves: DynArray[Move, MAX_MOVES],
    matches: DynArray[Match, MAX_MOVES],
):
    """
    @notice Certify what devices of a market metered in a slot, and hand on what is issued: to the buyers of the
            energy, or retired against consumption. What charges a storage goes into it whole, without an origin
            where nothing was matched with it.
    """
    self._check_issuer()
    assert len(issuances) > 0 or len(consumptions) > 0, "issuance: nothing metered"
    area: uint256 = 0
    sources: DynArray[uint256, MAX_METERED] = []
    for metered: Metered in issuances:
        title: uint256 = self._title_in(market, metered.device, area)
        area = titles.area_of(title)
        self._certify_generation(title, slot, metered)
        sources.append(title)
    sinks: DynArray[uint256, MAX_METERED] = []
    for metered: Metered in consumptions:
        title: uint256 = self._title_in(market, metered.device, area)
        area = titles.area_of(title)
        # Another certification of the slot may have put it here.
        if metered.amount_wh > 0:
            self._certify_consumption(title, slot, metered)
        sinks.append(title)
    for move: Move in moves:
        # Only what is issued here can be moved here: whatever stayed with its owner is the owner's to move.
        assert move.issuance < len(sources), "issuance: no such issuance"
        title: uint256 = sources[move.issuance]
        assert move.account != titles.owner_of(title), "issuance: move to the owner"
        assert move.amount_wh > 0, "issuance: empty"
        id: uint256 = self._id_of(title, issuances[move.issuance].device, slot)
        extcall CERTIFICATES.move(id, title, move.account, move.amount_wh)
    for match: Match in matches:
        assert match.issuance < len(sources), "issuance: no such issuance"
        assert match.consumption < len(sinks), "issuance: no such consumption"
        title: uint256 = sources[match.issuance]
        source: Entry = Entry(id=self._id_of(title, issuances[match.issuance].device, slot), title=title)
        title = sinks[match.consumption]
        sink: Entry = Entry(id=self._id_of(title, consumptions[match.consumption].device, slot), title=title)
        extcall CERTIFICATES.match(msg.sender, source, sink, match.amount_wh)
        if titles.kind_of(title) == titles.CHARGE:
            self._store(sink.id, source.id, match.amount_wh)
    for place: uint256 in range(len(sinks), bound=MAX_METERED):
        title: uint256 = sinks[place]
        if titles.kind_of(title) == titles.CHARGE:
            self._store_unmatched(Entry(id=self._id_of(title, consumptions[place].device, slot), title=title))
    log Certified(
        market=market,
        slot=slot,
        issuances=len(issuances),
        consumptions=len(consumptions),
        moves=len(moves),
        matches=len(matches),
    )


@external
def issue(request: uint256, device: uint64, first_slot: uint256, amounts: DynArray[uint256, MAX_SLOTS]):
    """
    @notice Certify what one generator or load metered in consecutive slots; nothing for slots of 0 Wh.
    @param request The owner's approved request; any number for a device with a standing one.
    """
    self._check_issuer()
    assert len(amounts) > 0, "issuance: no slots"
    title: uint256 = staticcall DEVICES.word_of(device)
    self._check_alone(title)
    slot_length_s: uint256 = titles.slot_length_of(title)
    last_slot: uint256 = first_slot + (len(amounts) - 1) * slot_length_s
    assert staticcall DEVICES.may_issue(device, first_slot, request), "issuance: not requested"
    assert staticcall DEVICES.may_issue(device, last_slot, request), "issuance: not requested"
    self._check_period(title, first_slot, last_slot)
    most_wh: uint256 = self._most_wh(title)
    ids: DynArray[uint256, MAX_SLOTS] = []
    issued_wh: DynArray[uint256, MAX_SLOTS] = []
    id: uint256 = self._id_of(title, device, first_slot)
    for amount_wh: uint256 in amounts:
        if amount_wh > 0:
            self._check_amount(amount_wh, most_wh)
            ids.append(id)
            issued_wh.append(self._without_debt(id, amount_wh))
        id = records.id_after(id, title)
    extcall CERTIFICATES.issue_all(title, ids, issued_wh)


@external
def commit_day(market: bytes32, day: uint256, root: bytes32, leaves: uint256, total_wh: uint256):
    """
    @notice Commit to what the devices of a market metered on a Unix day, instead of issuing it at once; see `mint`.
    @param root Of a tree with a leaf for each device: keccak256(abi.encode(device, day, amounts of all its slots)).
    @param total_wh What all leaves add up to; nothing relies on it.
    """
    self._check_issuer()
    assert leaves > 0, "issuance: no leaves"
    assert leaves <= MASK_32, "issuance: leaves"
    assert total_wh <= MASK_64, "issuance: total"
    assert day <= MASK_16, "issuance: day"
    assert block.timestamp >= (day + 1) * DAY_S, "issuance: day not over"
    assert self.day_sizes[market][day] == 0, "issuance: day committed"
    self.day_roots[market][day] = root
    self.day_sizes[market][day] = leaves | (total_wh << 32)
    log DayCommitted(market=market, day=day, root=root, leaves=leaves, total_wh=total_wh)


@external
def mint(
    market: bytes32,
    day: uint256,
    device: uint64,
    amounts: DynArray[uint256, MAX_PLACES],
    places: DynArray[uint256, MAX_PLACES],
    index: uint256,
    path: DynArray[bytes32, MAX_PATH],
):
    """
    @notice Anybody has slots of a committed day issued, to their device's owner; those that somebody had issued before
            are passed over.
    @param amounts The device's leaf: what it metered in all slots of the day.
    @param places Which of them to issue.
    @param index The leaf's place in the tree, and `path` the hashes on its way to the root.
    """
    leaf: bytes32 = keccak256(abi_encode(device, day, amounts))
    leaves: uint256 = self.day_sizes[market][day] & MASK_32
    assert merkle.has_leaf(self.day_roots[market][day], leaves, leaf, index, path), "issuance: not in the day"
    title: uint256 = self._title_in(market, device, 0)
    self._check_alone(title)
    slot_length_s: uint256 = titles.slot_length_of(title)
    assert slot_length_s >= MIN_DAY_SLOT_S, "issuance: short slots"
    assert len(amounts) * slot_length_s == DAY_S, "issuance: slots of the day"
    self._check_period(title, day * DAY_S, (day + 1) * DAY_S - slot_length_s)
    most_wh: uint256 = self._most_wh(title)
    ids: DynArray[uint256, MAX_SLOTS] = []
    issued_wh: DynArray[uint256, MAX_SLOTS] = []
    for place: uint256 in places:
        id: uint256 = self._id_of(title, device, day * DAY_S + place * slot_length_s)
        if records.exists(staticcall CERTIFICATES.record_word_of(id, title)):
            continue
        self._check_amount(amounts[place], most_wh)
        ids.append(id)
        issued_wh.append(self._without_debt(id, amounts[place]))
    extcall CERTIFICATES.issue_all(title, ids, issued_wh)


# --------------------------------------------------------------------------------------------------- corrections


@external
def reissue(id: uint256, corrected_wh: uint256, moves: DynArray[Share, MAX_SHARES]):
    """
    @notice Issue under the next revision what is left of the right amount. If more than that was retired already, the
            device owes it, and its next issuances give first.
    @param id The withdrawn certificate.
    @param corrected_wh What the device metered; of a storage what its certificate was right to be issued for, which
           is no more than it was at first.
    @param moves What of it others get who held some of what was withdrawn, no more than that, by ascending account.
    """
    self._check_issuer()
    kind: uint256 = records.kind_of(id)
    assert kind != records.IMPORTED, "issuance: reissue of an import"
    title: uint256 = staticcall DEVICES.word_of(records.device_of(id))
    record: uint256 = staticcall CERTIFICATES.record_word_of(id, title)
    assert records.is_withdrawn(record), "issuance: not withdrawn"
    assert id & 255 < MAX_REVISION, "issuance: revisions"
    if corrected_wh > 0:
        self._check_amount(corrected_wh, self._most_wh(title))
    first: uint256 = self._first_revision(id)
    paid_at_first_wh: uint256 = self.spent_of[first] >> 128
    if kind == records.STORED:
        # Its lots are used up as they were.
        issued_at_first_wh: uint256 = records.issued_wh(staticcall CERTIFICATES.record_word_of(first, title))
        assert corrected_wh <= issued_at_first_wh + paid_at_first_wh, "issuance: more than stored"
    spent_wh: uint256 = (self.spent_of[first] & MASK_128) + records.retired_wh(record)
    shortfall_wh: uint256 = 0
    if spent_wh > corrected_wh:
        shortfall_wh = spent_wh - corrected_wh
        spent_wh = corrected_wh
        self._owe(records.device_of(id), shortfall_wh)
    self.spent_of[first] = spent_wh | (paid_at_first_wh << 128)
    issued_wh: uint256 = self._without_debt(id, corrected_wh - spent_wh)
    extcall CERTIFICATES.issue(id + 1, title, issued_wh)
    self._hand_on(id, title, moves)
    if titles.kind_of(title) == titles.CHARGE:
        self._store_unmatched(Entry(id=id + 1, title=title))
    log Reissued(id=id + 1, corrected_wh=corrected_wh, issued_wh=issued_wh, shortfall_wh=shortfall_wh)


@internal
def _hand_on(withdrawn_id: uint256, title: uint256, moves: DynArray[Share, MAX_SHARES]):
    """
    @notice Whoever bought what is withdrawn gets it back under the next revision. Nobody but its owner holds
            consumption, so there is nothing of it to hand on.
    """
    last: uint256 = 0
    for share: Share in moves:
        account: uint256 = convert(share.account, uint256)
        assert account > last, "issuance: order of shares"
        last = account
        assert share.account != titles.owner_of(title), "issuance: move to the owner"
        assert share.amount_wh > 0, "issuance: empty"
        held_wh: uint256 = staticcall CERTIFICATES.balanceOf(share.account, withdrawn_id)
        assert share.amount_wh <= held_wh, "issuance: more than was held"
        extcall CERTIFICATES.move(withdrawn_id + 1, title, share.account, share.amount_wh)


@internal
def _owe(device: uint64, amount_wh: uint256):
    if self.debt_of[device] == 0:
        self.indebted_count += 1
    self.debt_of[device] += amount_wh


@internal
def _without_debt(id: uint256, amount_wh: uint256) -> uint256:
    """
    @return What is left of an amount after the device has given what it owes.
    """
    # Nearly always nobody owes anything, which one look tells for all devices.
    if self.indebted_count == 0:
        return amount_wh
    device: uint64 = records.device_of(id)
    debt_wh: uint256 = self.debt_of[device]
    paid_wh: uint256 = min(debt_wh, amount_wh)
    if paid_wh == 0:
        return amount_wh
    self.debt_of[device] = debt_wh - paid_wh
    if paid_wh == debt_wh:
        self.indebted_count -= 1
    first: uint256 = self._first_revision(id)
    self.spent_of[first] += paid_wh
    if id == first:
        self.spent_of[first] += paid_wh << 128
    log DebtPaid(device=device, slot=records.slot_of(id), amount_wh=paid_wh)
    return amount_wh - paid_wh


# ---------------------------------------------------------------------------------------------- other registries


@external
def import_certificate(details: ImportDetails) -> uint256:
    """
    @notice Issue what another registry has certified and retired in favour of this one. Each serial number once.
    @return The certificate's id.
    """
    self._check_issuer()
    assert len(details.registry) > 0, "issuance: no registry"
    assert len(details.serial) > 0, "issuance: no serial"
    assert details.to != empty(address), "issuance: import to nobody"
    assert not details.to.is_contract, "issuance: import to a contract"
    assert details.area > 0 and details.area <= staticcall DEVICES.area_count(), "issuance: area"
    assert details.slot_length_s in [300, 900, 1_800, 3_600], "issuance: slot length"
    serial: bytes32 = keccak256(abi_encode(details.registry, details.serial))
    assert self.import_ids[serial] == 0, "issuance: imported"
    title: uint256 = titles.packed(details.to, 0, details.slot_length_s, titles.GENERATOR, False, details.area, 0)
    self._check_period(title, details.slot, details.slot)
    self._check_amount(details.amount_wh, self._most_wh(title))
    number: uint256 = self.import_count + 1
    id: uint256 = records.id_of(records.IMPORTED, number, details.slot, 0)
    self.import_count = number
    self.import_ids[serial] = id
    extcall CERTIFICATES.issue(id, title, details.amount_wh)
    log Imported(id=id, details=details)
    return id


# --------------------------------------------------------------------------------------------------------- rules


@internal
@view
def _title_in(market: bytes32, device: uint64, known_area: uint256) -> uint256:
    """
    @notice The title of a device of the market, whose owner asks for certificates of all that it meters.
    @param known_area An area of which it is known that it is the market's; 0 for none.
    """
    title: uint256 = staticcall DEVICES.word_of(device)
    assert title != 0, "issuance: no such device"
    if titles.area_of(title) != known_area:
        assert staticcall DEVICES.market_of(titles.area_of(title)) == market, "issuance: market"
    assert titles.is_standing(title), "issuance: no standing request"
    return title


@internal
@pure
def _id_of(title: uint256, device: uint64, slot: uint256) -> uint256:
    """
    @notice The certificate of what a device metered in a slot.
    """
    kind: uint256 = records.CONSUMPTION
    if titles.kind_of(title) == titles.GENERATOR:
        kind = records.GENERATION
    elif titles.kind_of(title) == titles.STORAGE:
        kind = records.STORED
    return records.id_of(kind, convert(device, uint256), slot, 0)


@internal
def _certify_generation(title: uint256, slot: uint256, metered: Metered):
    self._check_period(title, slot, slot)
    self._check_amount(metered.amount_wh, self._most_wh(title))
    id: uint256 = self._id_of(title, metered.device, slot)
    certified_wh: uint256 = metered.amount_wh
    if titles.kind_of(title) == titles.STORAGE:
        certified_wh = lots.discharge(metered.device, slot, id, metered.amount_wh)
    else:
        assert titles.kind_of(title) == titles.GENERATOR, "issuance: not a generator"
    extcall CERTIFICATES.issue(id, title, self._without_debt(id, certified_wh))


@internal
def _certify_consumption(title: uint256, slot: uint256, metered: Metered):
    self._check_period(title, slot, slot)
    self._check_amount(metered.amount_wh, self._most_wh(title))
    id: uint256 = self._id_of(title, metered.device, slot)
    assert records.kind_of(id) == records.CONSUMPTION, "issuance: not a load"
    if titles.kind_of(title) == titles.CHARGE:
        lots.begin_charge(staticcall DEVICES.storage_of(metered.device), slot)
    extcall CERTIFICATES.issue(id, title, self._without_debt(id, metered.amount_wh))


@internal
@pure
def _check_alone(title: uint256):
    """
    @notice Storages are certified slot by slot, with what charges them; generators and loads can be alone.
    """
    assert titles.kind_of(title) in [titles.GENERATOR, titles.LOAD], "issuance: kind"


@internal
@view
def _check_period(title: uint256, first_slot: uint256, last_slot: uint256):
    """
    @notice The device was there in all of these slots, and they are over.
    """
    slot_length_s: uint256 = titles.slot_length_of(title)
    assert last_slot <= MAX_TIME, "issuance: slot out of time"
    assert first_slot % slot_length_s == 0, "issuance: slot"
    assert block.timestamp >= last_slot + slot_length_s, "issuance: slot not over"
    assert first_slot // DAY_S >= titles.commissioned_day_of(title), "issuance: not commissioned"
    closed_day: uint256 = titles.closed_day_of(title)
    assert closed_day == 0 or last_slot // DAY_S < closed_day, "issuance: closed"


@internal
@pure
def _check_amount(amount_wh: uint256, most_wh: uint256):
    assert amount_wh > 0, "issuance: empty"
    assert amount_wh <= most_wh, "issuance: nameplate"


@internal
@pure
def _most_wh(title: uint256) -> uint256:
    """
    @return What the device can meter in a slot at most.
    """
    nameplate_w: uint256 = titles.nameplate_w_of(title)
    if nameplate_w == 0:
        return MAX_AMOUNT_WH
    # W x s = 3600 Wh
    return nameplate_w * titles.slot_length_of(title) // 3_600


@internal
def _store_unmatched(sink: Entry):
    """
    @notice The rest of a charge goes into the storage without an origin.
    """
    rest_wh: uint256 = extcall CERTIFICATES.claim_rest(sink)
    if rest_wh > 0:
        self._store(sink.id, lots.NO_ORIGIN, rest_wh)


@internal
def _store(charge_id: uint256, source_id: uint256, amount_wh: uint256):
    storage: uint64 = staticcall DEVICES.storage_of(records.device_of(charge_id))
    lots.store(storage, source_id, amount_wh, staticcall DEVICES.efficiency_of(storage))


@internal
@view
def _check_issuer():
    assert msg.sender == staticcall DEVICES.issuer(), "issuance: not the issuer"


@internal
@pure
def _first_revision(id: uint256) -> uint256:
    return id & ~convert(255, uint256)


# --------------------------------------------------------------------------------------------------------- views


@external
@view
def queue_of(storage: uint64) -> lots.Queue:
    """
    @return Where a storage's lots begin and end, and what it has not certified yet of those before.
    """
    return lots.queue_of(storage)


@external
@view
def lots_of(storage: uint64, first: uint256, count: uint256) -> DynArray[lots.Lot, MAX_LOTS]:
    """
    @return Up to 64 lots from number `first` on, in the order in which they are used.
    """
    found: DynArray[lots.Lot, MAX_LOTS] = []
    end: uint256 = lots.queue_of(storage).end
    if first >= end:
        return found
    for place: uint256 in range(first, min(first + min(count, MAX_LOTS), end), bound=MAX_LOTS):
        found.append(lots.lot_of(storage, place))
    return found


@external
@view
def day_of(market: bytes32, day: uint256) -> Day:
    """
    @return What was committed for a market's day; all zero if nothing was.
    """
    size: uint256 = self.day_sizes[market][day]
    return Day(root=self.day_roots[market][day], leaves=size & MASK_32, total_wh=size >> 32)


@external
@view
def import_of(registry: String[32], serial: String[64]) -> uint256:
    """
    @return The id that this serial number was imported under; 0 if it was not.
    """
    return self.import_ids[keccak256(abi_encode(registry, serial))]


@external
@view
def devices() -> address:
    return DEVICES.address


@external
@view
def certificates() -> address:
    return CERTIFICATES.address
