# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Devices: what generates and consumes, where and whose it is, whose meter signs, and who attests to it
@license GNU Affero General Public License v3.0 only
@notice The registrar enters areas and devices; a device's owner asks for certificates, once and for all when it is
        registered or period by period; the issuer decides, and anchors the evidence of each device's day.

        What certificates need of a device is one word, its title (`titles.vy`).

        One thing: the register that certificates are issued by. Whether one may be issued depends on a device's dates
        and on its requests alike, so both are kept here. More than half of it declares what is kept, or shows it.
        Units: power in W, slots in Unix seconds UTC, days in days of 86,400 s since the Unix epoch.
"""

from contracts import titles


struct Area:
    # Zero for an area abroad, from which certificates are imported.
    market: bytes32
    # EIC code of the bidding zone or grid area.
    zone: String[16]


struct MeterKey:
    # 0 Ed25519, 1 secp256k1, 2 secp256r1, 3 secp384r1, 4 brainpoolP256r1, 5 brainpoolP384r1
    algorithm: uint256
    # Ed25519: the key itself; the others: SHA-256 of the key as DER SubjectPublicKeyInfo. Zero: no key is valid.
    key: bytes32
    from_slot: uint256


struct Device:
    owner: address
    area: uint256
    # 0 load, 1 generator, 2 storage, whose meter counts what it gives, 3 charge: what a storage takes
    kind: uint256
    # 0, which only a load may have, for no limit.
    nameplate_w: uint256
    slot_length_s: uint256
    # Its owner asks for certificates of whatever it meters, so that nobody has to request them by period.
    standing: bool
    # Digits of the EECS codes: T010101 is 10101, F01010100 is 1010100. 0 for loads and charges.
    technology: uint256
    fuel: uint256
    # Hundredths of a degree: about a kilometre.
    latitude: int256
    longitude: int256
    commissioned_day: uint256
    # Public support: 0 none, 1 for the investment, 2 for the production, 3 both
    support: uint256
    # A charge's storage; else 0.
    storage: uint64
    # A storage's output by its input, round trip, in millionths; else 0.
    efficiency_ppm: uint256
    # Keccak-256 of the metering point's id.
    metering_point: bytes32
    key: MeterKey


# The tree over a day's evidence of a device.
struct Anchor:
    device: uint64
    root: bytes32
    leaves: uint256


struct Request:
    device: uint64
    first_slot: uint256
    last_slot: uint256
    decided: bool
    approved: bool


event RoleOffered:
    role: indexed(uint256)
    account: indexed(address)


event RoleTaken:
    role: indexed(uint256)
    account: indexed(address)


event AreaAdded:
    area: indexed(uint256)
    market: indexed(bytes32)
    zone: String[16]


event DeviceRegistered:
    device: indexed(uint64)
    owner: indexed(address)
    details: Device


event KeyRotated:
    device: indexed(uint64)
    key: MeterKey


event DeviceClosed:
    device: indexed(uint64)
    day: uint256


event Anchored:
    device: indexed(uint64)
    day: indexed(uint256)
    # Counts the corrections of the day's anchor.
    revision: uint256
    root: bytes32
    leaves: uint256


event Requested:
    number: indexed(uint256)
    device: indexed(uint64)
    first_slot: uint256
    last_slot: uint256
    evidence: bytes32


event RequestDecided:
    number: indexed(uint256)
    approved: bool
    reason: String[128]


# Roles.
ISSUER: constant(uint256) = 0
REGISTRAR: constant(uint256) = 1

DAY_S: constant(uint256) = 86_400
MAX_REQUEST_S: constant(uint256) = 366 * DAY_S
MAX_ANCHORS: constant(uint256) = 256
MAX_ALGORITHM: constant(uint256) = 5
MAX_SUPPORT: constant(uint256) = 3
MAX_TECHNOLOGY: constant(uint256) = 999_999
MAX_FUEL: constant(uint256) = 99_999_999
MAX_LATITUDE: constant(int256) = 9_000
MAX_LONGITUDE: constant(int256) = 18_000
MAX_EFFICIENCY_PPM: constant(uint256) = 1_000_000
MAX_TIME: constant(uint256) = 2**40 - 1
MASK_16: constant(uint256) = 2**16 - 1
MASK_20: constant(uint256) = 2**20 - 1
MASK_24: constant(uint256) = 2**24 - 1
MASK_30: constant(uint256) = 2**30 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_40: constant(uint256) = 2**40 - 1
MASK_64: constant(uint256) = 2**64 - 1

# The states of a request.
APPROVED: constant(uint256) = 1
REJECTED: constant(uint256) = 2

# Who holds each role, and to whom it is offered; see `offer_role`.
holders: HashMap[uint256, address]
offers: HashMap[uint256, address]

area_count: public(uint256)
areas: HashMap[uint256, Area]
area_numbers: HashMap[bytes32, HashMap[bytes32, uint256]]

# Each device's title.
word_of: public(HashMap[uint64, uint256])
# technology (bits 0-23), fuel (24-55), latitude + 9,000 (56-71), longitude + 18,000 (72-87), support (88-95),
# storage (96-159), efficiency (160-179)
details: HashMap[uint64, uint256]
metering_points: HashMap[uint64, bytes32]
# The last device of a metering point, its number + 1: of charges (True), and of all others.
devices_of_point: HashMap[bytes32, HashMap[bool, uint256]]

key_count: public(HashMap[uint64, uint256])
keys: HashMap[uint64, HashMap[uint256, bytes32]]
# first slot (bits 0-39), algorithm (40-)
key_terms: HashMap[uint64, HashMap[uint256, uint256]]

# Keccak-256 of the root and the number of leaves of the latest anchor.
anchor_of: public(HashMap[uint64, HashMap[uint256, bytes32]])
anchor_corrections: HashMap[uint64, HashMap[uint256, uint256]]

request_count: public(uint256)
# device (bits 0-63), first slot (64-103), last slot (104-143), state (144-)
requests: HashMap[uint256, uint256]


@deploy
def __init__(issuer: address, registrar: address):
    """
    @param issuer Decides on requests, anchors evidence, and issues certificates.
    @param registrar Enters areas and devices.
    """
    assert issuer != empty(address), "devices: issuer"
    assert registrar != empty(address), "devices: registrar"
    self.holders[ISSUER] = issuer
    self.holders[REGISTRAR] = registrar


# ------------------------------------------------------------------------------------------------- roles


@external
def offer_role(role: uint256, account: address):
    """
    @notice Offer one's role (0 issuer, 1 registrar) to another account, which then accepts it. Zero takes the offer
            back.
    """
    assert msg.sender == self.holders[role], "devices: not the holder"
    self.offers[role] = account
    log RoleOffered(role=role, account=account)


@external
def accept_role(role: uint256):
    """
    @notice Take over a role. Its former holder loses it at once.
    """
    assert self.offers[role] == msg.sender, "devices: not offered"
    self.offers[role] = empty(address)
    self.holders[role] = msg.sender
    log RoleTaken(role=role, account=msg.sender)


@internal
@view
def _check_issuer():
    assert msg.sender == self.holders[ISSUER], "devices: not the issuer"


@internal
@view
def _check_registrar():
    assert msg.sender == self.holders[REGISTRAR], "devices: not the registrar"


# ------------------------------------------------------------------------------------- areas and devices


@external
def add_area(market: bytes32, zone: String[16]) -> uint256:
    """
    @notice Enter an area: what of a market lies in one zone.
    @return Its number, from 1 on.
    """
    self._check_registrar()
    assert len(zone) > 0, "devices: zone"
    assert self.area_numbers[market][keccak256(zone)] == 0, "devices: area exists"
    area: uint256 = self.area_count + 1
    assert area <= MASK_16, "devices: too many areas"
    self.area_count = area
    self.areas[area] = Area(market=market, zone=zone)
    self.area_numbers[market][keccak256(zone)] = area
    log AreaAdded(area=area, market=market, zone=zone)
    return area


@external
def register_device(device: uint64, details: Device):
    """
    @notice Enter a device and its meter's first key. A device number is given once, and its owner is for good.
    """
    self._check_registrar()
    assert self.word_of[device] == 0, "devices: device exists"
    assert details.owner != empty(address), "devices: owner"
    assert not details.owner.is_contract, "devices: owner is a contract"
    assert self.areas[details.area].market != empty(bytes32), "devices: area"
    assert details.kind <= titles.CHARGE, "devices: kind"
    assert details.slot_length_s in [300, 900, 1_800, 3_600], "devices: slot length"
    assert details.nameplate_w > 0 or details.kind == titles.LOAD, "devices: no nameplate"
    assert details.nameplate_w <= MASK_30, "devices: nameplate"
    assert abs(details.latitude) <= MAX_LATITUDE, "devices: latitude"
    assert abs(details.longitude) <= MAX_LONGITUDE, "devices: longitude"
    assert details.commissioned_day <= MASK_16, "devices: commissioned"
    assert details.support <= MAX_SUPPORT, "devices: support"
    assert details.key.key != empty(bytes32), "devices: no key"
    self._check_source(details)
    title: uint256 = titles.packed(
        details.owner,
        details.nameplate_w,
        details.slot_length_s,
        details.kind,
        details.standing,
        details.area,
        details.commissioned_day,
    )
    self._check_storage(details)
    self._take_metering_point(device, details)
    self.word_of[device] = title
    self.details[device] = self._packed(details)
    self.metering_points[device] = details.metering_point
    log DeviceRegistered(device=device, owner=details.owner, details=details)
    self._add_key(device, 0, details.key)


@external
def rotate_key(device: uint64, key: MeterKey):
    """
    @notice From a slot on, another key signs for the meter, or none if the key is zero.
    """
    self._check_registrar()
    count: uint256 = self.key_count[device]
    assert count > 0, "devices: no such device"
    assert key.from_slot > self.key_terms[device][count - 1] & MASK_40, "devices: key order"
    self._add_key(device, count, key)
    log KeyRotated(device=device, key=key)


@external
def close_device(device: uint64, day: uint256):
    """
    @notice From this Unix day on, nothing of the device is certified, and its metering point is free for another. As
            the day is still to come, nothing of it is certified yet.
    """
    self._check_registrar()
    title: uint256 = self.word_of[device]
    assert title != 0, "devices: no such device"
    assert titles.closed_day_of(title) == 0, "devices: closed"
    assert day <= MASK_16, "devices: day out of time"
    assert day * DAY_S > block.timestamp, "devices: day begun"
    assert day >= titles.commissioned_day_of(title), "devices: not yet commissioned"
    self.word_of[device] = title | (day << 229)
    log DeviceClosed(device=device, day=day)


@internal
@pure
def _check_source(details: Device):
    """
    @notice Loads have no technology and no fuel, generators have.
    """
    if details.kind == titles.LOAD or details.kind == titles.CHARGE:
        assert details.technology == 0 and details.fuel == 0, "devices: source of a load"
    elif details.kind == titles.GENERATOR:
        assert details.technology > 0, "devices: no technology"
    assert details.technology <= MAX_TECHNOLOGY, "devices: technology"
    assert details.fuel <= MAX_FUEL, "devices: fuel"


@internal
@view
def _check_storage(details: Device):
    """
    @notice A storage has an efficiency; what charges it belongs to the same owner, area and rhythm.
    """
    if details.kind == titles.STORAGE:
        assert details.efficiency_ppm > 0, "devices: no efficiency"
        assert details.efficiency_ppm <= MAX_EFFICIENCY_PPM, "devices: efficiency"
    else:
        assert details.efficiency_ppm == 0, "devices: efficiency of no storage"
    if details.kind == titles.CHARGE:
        storage: uint256 = self.word_of[details.storage]
        assert titles.kind_of(storage) == titles.STORAGE, "devices: no such storage"
        assert titles.owner_of(storage) == details.owner, "devices: owner of the storage"
        assert titles.area_of(storage) == details.area, "devices: area of the storage"
        assert titles.slot_length_of(storage) == details.slot_length_s, "devices: slot length of the storage"
    else:
        assert details.storage == 0, "devices: storage of no charge"


@internal
def _take_metering_point(device: uint64, details: Device):
    """
    @notice What one meter counts is certified once: a point has one device at a time, or a storage and what charges
            it.
    """
    point: bytes32 = details.metering_point
    assert point != empty(bytes32), "devices: no metering point"
    other: uint256 = self.devices_of_point[point][False]
    if details.kind == titles.CHARGE and other == convert(details.storage, uint256) + 1:
        # Before the storage the point may have been another device's.
        storage_day: uint256 = titles.commissioned_day_of(self.word_of[details.storage])
        assert details.commissioned_day >= storage_day, "devices: metering point before the storage"
    else:
        assert self._is_past(other, details.commissioned_day), "devices: metering point"
    charge: uint256 = self.devices_of_point[point][True]
    assert self._is_past(charge, details.commissioned_day), "devices: metering point of a charge"
    self.devices_of_point[point][details.kind == titles.CHARGE] = convert(device, uint256) + 1


@internal
@view
def _is_past(number_plus_1: uint256, day: uint256) -> bool:
    """
    @return Whether there is no such device, or it is closed by this day.
    """
    if number_plus_1 == 0:
        return True
    closed_day: uint256 = titles.closed_day_of(self.word_of[convert(number_plus_1 - 1, uint64)])
    return closed_day != 0 and closed_day <= day


@internal
def _add_key(device: uint64, count: uint256, key: MeterKey):
    assert key.algorithm <= MAX_ALGORITHM, "devices: algorithm"
    assert key.from_slot <= MAX_TIME, "devices: key out of time"
    self.keys[device][count] = key.key
    self.key_terms[device][count] = key.from_slot | (key.algorithm << 40)
    self.key_count[device] = count + 1


@internal
@pure
def _packed(details: Device) -> uint256:
    word: uint256 = details.technology
    word |= details.fuel << 24
    word |= convert(details.latitude + MAX_LATITUDE, uint256) << 56
    word |= convert(details.longitude + MAX_LONGITUDE, uint256) << 72
    word |= details.support << 88
    word |= convert(details.storage, uint256) << 96
    word |= details.efficiency_ppm << 160
    return word


# ---------------------------------------------------------------------------------- evidence and requests


@external
def anchor(day: uint256, anchors: DynArray[Anchor, MAX_ANCHORS]):
    """
    @notice Put down what the evidence of devices for a Unix day is. A later anchor of the same day corrects it.
    """
    self._check_issuer()
    assert day <= MASK_16, "devices: day"
    assert block.timestamp >= (day + 1) * DAY_S, "devices: day not over"
    for each: Anchor in anchors:
        assert self.word_of[each.device] != 0, "devices: no such device"
        assert each.leaves > 0, "devices: no leaves"
        revision: uint256 = 0
        if self.anchor_of[each.device][day] != empty(bytes32):
            revision = self.anchor_corrections[each.device][day] + 1
            self.anchor_corrections[each.device][day] = revision
        self.anchor_of[each.device][day] = keccak256(abi_encode(each.root, each.leaves))
        log Anchored(device=each.device, day=day, revision=revision, root=each.root, leaves=each.leaves)


@external
def request(device: uint64, first_slot: uint256, last_slot: uint256, evidence: bytes32) -> uint256:
    """
    @notice The owner asks for certificates of what its device metered from one slot to another, both included.
    @param evidence Hash of whatever shows it.
    @return The request's number, from 1 on.
    """
    title: uint256 = self.word_of[device]
    # An unknown device has no owner.
    assert msg.sender == titles.owner_of(title), "devices: not the owner"
    slot_length_s: uint256 = titles.slot_length_of(title)
    assert first_slot % slot_length_s == 0, "devices: first slot"
    assert last_slot % slot_length_s == 0, "devices: last slot"
    assert first_slot <= last_slot, "devices: period"
    assert last_slot < first_slot + MAX_REQUEST_S, "devices: long period"
    assert block.timestamp >= last_slot + slot_length_s, "devices: period not over"
    number: uint256 = self.request_count + 1
    self.request_count = number
    self.requests[number] = convert(device, uint256) | (first_slot << 64) | (last_slot << 104)
    log Requested(number=number, device=device, first_slot=first_slot, last_slot=last_slot, evidence=evidence)
    return number


@external
def decide(number: uint256, approved: bool, reason: String[128]):
    """
    @notice Approve a request or turn it down, once and for all.
    """
    self._check_issuer()
    assert number > 0 and number <= self.request_count, "devices: no such request"
    word: uint256 = self.requests[number]
    assert word >> 144 == 0, "devices: decided"
    state: uint256 = APPROVED
    if not approved:
        state = REJECTED
    self.requests[number] = word | (state << 144)
    log RequestDecided(number=number, approved=approved, reason=reason)


# ------------------------------------------------------------------------------------------------- views


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
def area_of(area: uint256) -> Area:
    assert area > 0 and area <= self.area_count, "devices: no such area"
    return self.areas[area]


@external
@view
def area_number(market: bytes32, zone: String[16]) -> uint256:
    """
    @return The area's number; 0 if there is none.
    """
    return self.area_numbers[market][keccak256(zone)]


@external
@view
def market_of(area: uint256) -> bytes32:
    return self.areas[area].market


@external
@view
def same_zone(one: uint256, other: uint256) -> bool:
    """
    @return Whether two areas lie in the same zone, whatever their markets.
    """
    return self.areas[one].zone == self.areas[other].zone


@external
@view
def device_of(device: uint64) -> Device:
    """
    @return The device as registered, with its meter's first key.
    """
    title: uint256 = self.word_of[device]
    assert title != 0, "devices: no such device"
    details: uint256 = self.details[device]
    return Device(
        owner=titles.owner_of(title),
        area=titles.area_of(title),
        kind=titles.kind_of(title),
        nameplate_w=titles.nameplate_w_of(title),
        slot_length_s=titles.slot_length_of(title),
        standing=titles.is_standing(title),
        technology=details & MASK_24,
        fuel=(details >> 24) & MASK_32,
        latitude=convert((details >> 56) & MASK_16, int256) - MAX_LATITUDE,
        longitude=convert((details >> 72) & MASK_16, int256) - MAX_LONGITUDE,
        commissioned_day=titles.commissioned_day_of(title),
        support=(details >> 88) & 255,
        storage=self._storage_of(device),
        efficiency_ppm=self._efficiency_of(device),
        metering_point=self.metering_points[device],
        key=self._key(device, 0),
    )


@external
@view
def key_of(device: uint64, slot: uint256) -> MeterKey:
    """
    @return The key that signs for the slot: zero if none does, or there is no such device.
    """
    # The keys before `low` begin by the slot, those from `high` on begin later.
    low: uint256 = 0
    high: uint256 = self.key_count[device]
    for halving: uint256 in range(64):
        if low == high:
            break
        middle: uint256 = (low + high) // 2
        if self.key_terms[device][middle] & MASK_40 <= slot:
            low = middle + 1
        else:
            high = middle
    if low == 0:
        return empty(MeterKey)
    return self._key(device, low - 1)


@external
@view
def storage_of(device: uint64) -> uint64:
    """
    @return The storage that the device charges.
    """
    return self._storage_of(device)


@external
@view
def efficiency_of(device: uint64) -> uint256:
    """
    @return A storage's output by its input, in millionths.
    """
    return self._efficiency_of(device)


@external
@view
def request_of(number: uint256) -> Request:
    assert number > 0 and number <= self.request_count, "devices: no such request"
    word: uint256 = self.requests[number]
    return Request(
        device=convert(word & MASK_64, uint64),
        first_slot=(word >> 64) & MASK_40,
        last_slot=(word >> 104) & MASK_40,
        decided=word >> 144 != 0,
        approved=word >> 144 == APPROVED,
    )


@external
@view
def may_issue(device: uint64, slot: uint256, request: uint256) -> bool:
    """
    @return Whether the owner asked for certificates of the slot: by a standing request, or by this one, approved.
    """
    if titles.is_standing(self.word_of[device]):
        return True
    word: uint256 = self.requests[request]
    if word >> 144 != APPROVED or word & MASK_64 != convert(device, uint256):
        return False
    return slot >= (word >> 64) & MASK_40 and slot <= (word >> 104) & MASK_40


@internal
@view
def _key(device: uint64, place: uint256) -> MeterKey:
    terms: uint256 = self.key_terms[device][place]
    return MeterKey(algorithm=terms >> 40, key=self.keys[device][place], from_slot=terms & MASK_40)


@internal
@view
def _storage_of(device: uint64) -> uint64:
    return convert((self.details[device] >> 96) & MASK_64, uint64)


@internal
@view
def _efficiency_of(device: uint64) -> uint256:
    return (self.details[device] >> 160) & MASK_20
