"""What the contracts' refusals mean: a contract says `certificates: expired`, a person reads a sentence."""

from node.reasons import certificates, challenges, devices, escrow, exchange, issuance, markets

SENTENCES: dict[str, str] = {
    reason: sentence
    for module in (exchange, escrow, markets, challenges, devices, issuance, certificates)
    for reason, sentence in module.SENTENCES.items()
}
"""A sentence for every reason string of our contracts; a test holds it against their sources."""


def in_words(reason: str) -> str:
    """The sentence for a contract's reason string; of a reason that is not ours, the reason itself."""
    if not reason:
        return "the contract gives no reason"
    return SENTENCES.get(reason, reason)
