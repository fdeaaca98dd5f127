"""What each code of a problem means, in a sentence: for the API's description and its readers."""

MEANINGS = {
    "approval.not_a_validator": "An approval is by an account that has no seat among the market's validators.",
    "approval.signature": (
        "An approval's signature is not its validator's, or not of the settlement that is proposed."
    ),
    "audit.unknown": ("There is no audit with this number; a node that starts forgets those it made before."),
    "bill.invalid": "A bill's month is not a month, or its time zone is none.",
    "certificates.action": "What was asked for cannot be done with certificates.",
    "certificates.already_otherwise": "It was done before, in another way, and for good.",
    "certificates.batch_too_large": "What was asked for takes more certificates than one batch has room for.",
    "certificates.claim": "A claim's field is outside its limits.",
    "certificates.id": "A number is not the id of a certificate, or an id's field is outside its limits.",
    "certificates.in_part": "A slot is certified in part, and nothing is put right until the rest of it is.",
    "certificates.issuer": "What the issuer is to do has a field outside its limits.",
    "certificates.not_enough": "Less is held than was asked for.",
    "certificates.nothing_to_pair": (
        "No certificate of the account is of a slot and zone in which it has uncovered consumption on chain."
    ),
    "certificates.selection": "An amount cannot be made up from what is held.",
    "certificates.unknown": "There is no such certificate.",
    "chain.reverted": "The contract refuses; `reason` has its words.",
    "chain.unavailable": (
        "The endpoint could not be reached, or its answer never came; the request may have taken effect."
    ),
    "clock.backwards": "A clock was asked to go back.",
    "clock.not_stepped": "The market's clock is the time of day, which moves on by itself.",
    "coverage.emissions": "A certificate's energy source burns something, and nothing here says what that emits.",
    "coverage.invalid": "An input does not fit the others or is outside its limits.",
    "coverage.period": "The period is empty, too long, or not of whole slots.",
    "coverage.unknown_factor": "No emission factor is known for what was asked.",
    "deposit.known": "A payment with this reference was entered before.",
    "devchain.storage_failed": (
        "The embedded chain's database refused to write, a full disk being the likely reason; "
        "nothing of the block was kept."
    ),
    "device.eecs_code": "A code has not the form that EECS codes have, or two codes do not go together.",
    "device.foreign": "A device's number is taken by another device, or its details differ from those on chain.",
    "device.invalid": "A device's or an area's field is outside its limits.",
    "device.key_taken": "A meter's key already signs for another device.",
    "device.owner_unknown": "A device is to belong to an account that is not a member.",
    "device.past_change": (
        "A device cannot be changed for slots or days that have begun: they may be metered and certified already."
    ),
    "device.unknown": "There is no device with this number.",
    "event.forgotten": "Events after the one that was named are no longer kept: read the resources anew.",
    "event.signature": "The signature to follow an account is not the account's, or does not hold now.",
    "event.too_many_streams": "As many streams of events are open as the node feeds, or feeds one address.",
    "event.unknown": "The event that was named has not happened; the node's store may have been restored.",
    "evidence.clock": "The meter's clock was not synchronised, so that nobody knows which slot it metered.",
    "evidence.device": "Evidence of another device, market, chain or register than the one it is handed in for.",
    "evidence.invalid": "A field of a piece of evidence is outside its limits.",
    "evidence.key": "The device had no valid key when the statement was made.",
    "evidence.key_malformed": (
        "A public key is malformed, or not of the algorithm it is said to be, or keys follow in no order."
    ),
    "evidence.nameplate": "More energy than the device can generate, or its connection carry, in a slot.",
    "evidence.register": (
        "A register runs backwards, or does not go on where it stopped, or is not the sum of the energy."
    ),
    "evidence.sequence": "A statement is missing or repeated, and no substitute values cover what is missing.",
    "evidence.signature": "A statement is not signed by the key that was valid for it.",
    "evidence.slot": "A slot does not start where slots start, or does not come after those that have evidence.",
    "evidence.substitute": (
        "A substitute value without method, reason, the authority's signature, or readings to compute it from."
    ),
    "file.columns": "A file's columns are missing, repeated, or of no kind of row.",
    "file.empty": "A file has no rows.",
    "file.encoding": "A file is not UTF-8.",
    "internal.error": "Something went wrong in the node; its log says what.",
    "member.foreign": "An account belongs to another market already.",
    "member.unknown": "There is no member with this account.",
    "node.busy": "Too many wait to be written, or the node is ending; `Retry-After` says when to come again.",
    "node.late": "Too many slots are not settled long after their gates closed.",
    "node.not_claimed": "Another node has claimed the market: it alone acts on chain. Ask that one, or later.",
    "node.trouble": "Slots do not move on; the message says why.",
    "ocmf.algorithm": "An OCMF message signed, or its signature written, in a way that is not supported.",
    "ocmf.field": "A field of an OCMF message that is missing, or outside its limits.",
    "ocmf.malformed": "An OCMF message whose sections, JSON or size are not as the format says.",
    "ocmf.span": "Energy was counted across the end of a slot, and no reading says how much of it on either side.",
    "ocmf.status": "The meter itself says that a reading of an OCMF message is not to be used.",
    "order.cancelled_epoch": "The order was signed for another epoch than its account's.",
    "order.expired": "The order may expire before its slot is settled.",
    "order.gate_closed": "The slot takes no orders, and no cancellations, any more.",
    "order.invalid": "An order's field is outside its limits.",
    "order.not_a_member": "The account is not a member of the market.",
    "order.signature": (
        "The signature is not the account's: another key, another chain, another exchange, or altered fields."
    ),
    "order.slot_misaligned": "No slot of the market starts at this second.",
    "order.too_early": "The slot is further ahead than orders are taken for.",
    "order.too_large": "The order's quantity is above the market's limit.",
    "order.too_many": "The account, or everybody together, placed as many orders for the slot as can settle.",
    "order.uncovered": "The account's free escrow does not cover the order; `needed` and `free` say by how much.",
    "order.unknown": "There is no order with this hash.",
    "order.unknown_market": "The order is for a market that is not traded here.",
    "order.wishes": "A statement of wishes is malformed, or is not the one that the order's salt commits to.",
    "proposal.changed": "The slot was cleared again just now: ask again.",
    "proposal.unknown": (
        "No settlement of the slot is proposed: it is not that far, or was voided, or needs nobody's approval."
    ),
    "reading.conflict": "There is another reading of the same device and slot.",
    "reading.invalid": "A reading's field is outside its limits.",
    "reading.nothing_to_correct": "The slot has no reading of the device that could be corrected.",
    "reading.too_early": "The slot is not over.",
    "reading.unexpected": (
        "The slot is before the device's first one, or after its last: deliveries do not wait for its reading."
    ),
    "reading.unknown_device": "No device with this number is registered.",
    "request.evidence": "A slot has no measured reading that certificates could be issued for.",
    "request.forbidden": "The API key is known, and its scope is another.",
    "request.invalid": "The request is malformed; `errors` names each field that is wrong.",
    "request.method": "The resource does not take this method.",
    "request.not_approved": "Certificates are issued for approved requests only.",
    "request.not_found": "There is no such resource.",
    "request.too_early": "A slot's own certification of the device, or its correction, is still to come.",
    "request.too_large": "The body, or the file, has too many bytes.",
    "request.too_many": "Requests come more often than is allowed; `Retry-After` says when to come again.",
    "request.unauthorized": "An API key is needed, and none that is known was given.",
    "request.unknown": "There is no request with this number.",
    "signature.invalid": "A signature that nobody can have made, or in a form that the contracts refuse.",
    "slot.unknown": "Nothing is known of the slot, or it has no committed book yet.",
    "statement.impossible": (
        "The chain does not bear out what was to be stated, or it is more than one statement can hold."
    ),
    "statement.invalid": "A statement, or a part of one, is not well formed.",
    "statement.unknown": "No statement with this digest was made here.",
    "store.conflict": (
        "A write contradicts what is already written: a slot or order is not in the state that it needs."
    ),
    "store.unavailable": "The store's database does not answer, or takes no writes: try again.",
    "transaction.foreign": "The transaction is for another chain, or does not call one of our contracts.",
    "transaction.malformed": "The bytes are not a signed EIP-1559 transaction.",
    "transaction.refused": "The chain does not take the transaction.",
    "transaction.unknown": "No such transaction was handed to this node.",
}
"""The codes that requests can be answered with. New ones are added; none changes its meaning."""
