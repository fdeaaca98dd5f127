# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Lots: what each storage holds, and where that comes from
@license GNU Affero General Public License v3.0 only
@notice A queue per storage, first in, first out. Each Wh that goes in is a lot, with the certificate that was retired
        for it or without any. A lot counts the output that it will give, the charge times the storage's efficiency,
        in µWh: Wh x ppm = µWh, so nothing is lost to rounding. What a discharge takes from lots with an origin is
        certified in whole Wh, and the rest of less than a Wh kept for the next discharge.
"""


struct Lot:
    # The retired certificate's id; 0 for energy of no certified origin.
    source: uint256
    output_uwh: uint256


struct Queue:
    # Lots from `first` to before `end` are left.
    first: uint256
    end: uint256
    # Taken from lots with an origin, and not certified yet.
    carry_uwh: uint256
    # A second after the start of the last slot that something went in or out in; 0 before the first.
    after_slot: uint256


event Stored:
    storage: indexed(uint64)
    source: indexed(uint256)
    amount_wh: uint256
    output_uwh: uint256


event Discharged:
    id: indexed(uint256)
    storage: indexed(uint64)
    metered_wh: uint256
    certified_wh: uint256
    sources: DynArray[uint256, MAX_LOTS]
    outputs_uwh: DynArray[uint256, MAX_LOTS]


MAX_LOTS: constant(uint256) = 64
UWH_PER_WH: constant(uint256) = 1_000_000
NO_ORIGIN: constant(uint256) = 0
MASK_32: constant(uint256) = 2**32 - 1
MASK_40: constant(uint256) = 2**40 - 1
MASK_64: constant(uint256) = 2**64 - 1
MASK_144: constant(uint256) = 2**144 - 1

# first (bits 0-63), end (64-127), carry (128-159), after_slot (160-)
queues: HashMap[uint64, uint256]
# source (bits 0-143), output (144-)
lots: HashMap[uint64, HashMap[uint256, uint256]]


@internal
def begin_charge(storage: uint64, slot: uint256):
    """
    @notice A slot's discharge comes before its charge, and no slot before an earlier one.
    """
    queue: Queue = self.queue_of(storage)
    assert slot + 1 >= queue.after_slot, "issuance: storage charged since"
    queue.after_slot = slot + 1
    self._keep(storage, queue)


@internal
def store(storage: uint64, source: uint256, amount_wh: uint256, efficiency_ppm: uint256):
    """
    @notice Energy went in.
    """
    queue: Queue = self.queue_of(storage)
    output_uwh: uint256 = amount_wh * efficiency_ppm
    self.lots[storage][queue.end] = source | (output_uwh << 144)
    queue.end += 1
    self._keep(storage, queue)
    log Stored(storage=storage, source=source, amount_wh=amount_wh, output_uwh=output_uwh)


@internal
def discharge(storage: uint64, slot: uint256, id: uint256, metered_wh: uint256) -> uint256:
    """
    @notice Energy went out. What no lot is left for, or more than 64 lots would be needed for, has no origin.
    @return What of it is certified.
    """
    queue: Queue = self.queue_of(storage)
    assert slot >= queue.after_slot, "issuance: storage used since"
    wanted_uwh: uint256 = metered_wh * UWH_PER_WH
    with_origin_uwh: uint256 = queue.carry_uwh
    sources: DynArray[uint256, MAX_LOTS] = []
    outputs_uwh: DynArray[uint256, MAX_LOTS] = []
    for taken: uint256 in range(MAX_LOTS):
        if wanted_uwh == 0 or queue.first == queue.end:
            break
        lot: uint256 = self.lots[storage][queue.first]
        part_uwh: uint256 = min(wanted_uwh, lot >> 144)
        if part_uwh == lot >> 144:
            self.lots[storage][queue.first] = 0
            queue.first += 1
        else:
            self.lots[storage][queue.first] = lot - (part_uwh << 144)
        wanted_uwh -= part_uwh
        if lot & MASK_144 != NO_ORIGIN:
            with_origin_uwh += part_uwh
        sources.append(lot & MASK_144)
        outputs_uwh.append(part_uwh)
    certified_wh: uint256 = with_origin_uwh // UWH_PER_WH
    queue.carry_uwh = with_origin_uwh % UWH_PER_WH
    queue.after_slot = slot + 1
    self._keep(storage, queue)
    log Discharged(
        id=id,
        storage=storage,
        metered_wh=metered_wh,
        certified_wh=certified_wh,
        sources=sources,
        outputs_uwh=outputs_uwh,
    )
    return certified_wh


@internal
def _keep(storage: uint64, queue: Queue):
    word: uint256 = queue.first | (queue.end << 64)
    self.queues[storage] = word | (queue.carry_uwh << 128) | (queue.after_slot << 160)


@internal
@view
def queue_of(storage: uint64) -> Queue:
    word: uint256 = self.queues[storage]
    return Queue(
        first=word & MASK_64,
        end=(word >> 64) & MASK_64,
        carry_uwh=(word >> 128) & MASK_32,
        after_slot=word >> 160,
    )


@internal
@view
def lot_of(storage: uint64, place: uint256) -> Lot:
    lot: uint256 = self.lots[storage][place]
    return Lot(source=lot & MASK_144, output_uwh=lot >> 144)
