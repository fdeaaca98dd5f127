"""Where an exchange's history begins, what was fixed there, and whether the contracts are the ones we know."""

from ledger.abi import Contract
from ledger.audit.device_rules import ISSUER, REGISTRAR
from ledger.audit.findings import Findings
from ledger.audit.history import AUDITED
from ledger.audit.model import Model
from ledger.audit.rulebook import Terms, hexed
from ledger.chain import Chain, ChainError, ChainUnavailableError
from ledger.deployment import Contracts


def fixed_terms(contracts: Contracts) -> Terms:
    """What was fixed when the contracts were deployed."""
    stake, penalty, claim_period_s, response_s = contracts.challenges.read("terms")
    return Terms(
        withdrawal_notice_s=contracts.escrow.read("withdrawal_notice_s"),
        certificate_lifetime_s=contracts.certificates.read("lifetime_s"),
        stake_nano=stake,
        penalty_nano=penalty,
        claim_period_s=claim_period_s,
        response_s=response_s,
    )


def first_block(chain: Chain, contracts: Contracts, last_block: int) -> int:
    """The block with the first of the audited contracts in it, by bisection; 0 if old state is forgotten."""
    addresses = [getattr(contracts, name).address for name in AUDITED]
    low, high = 0, last_block  # the first block with code lies between, both included
    try:
        while low < high:
            middle = (low + high) // 2
            if any(chain.code(address, block_number=middle) for address in addresses):
                high = middle
            else:
                low = middle + 1
    except ChainUnavailableError:
        raise
    except ChainError:
        return 0
    return low


def note_first_roles(contracts: Contracts, model: Model, start: int, last_block: int) -> None:
    """Who first held the devices' roles, which no event says; not known where old state is forgotten.

    Whoever holds a role that was never handed over held it from the beginning.
    """
    for role, view in ((ISSUER, "issuer"), (REGISTRAR, "registrar")):
        topics = [role.to_bytes(32, "big")]
        handed_over = contracts.devices.events(
            ["RoleTaken"], first_block=start, last_block=last_block, topics=topics
        )
        at = handed_over[0].log.block_number - 1 if handed_over else last_block
        try:
            model.guarantees.roles[role] = contracts.devices.read(view, block_number=at)
        except ChainUnavailableError:
            raise
        except ChainError:
            model.guarantees.roles[role] = None


def check_code(chain: Chain, contracts: Contracts, findings: Findings) -> None:
    """The code on chain is what our sources compile to; what follows it are the values fixed at deployment."""
    for name in (*AUDITED, "credit", "energy"):
        contract: Contract = getattr(contracts, name)
        expected = contract.interface.artifact.runtime_code
        found = chain.code(contract.address)
        findings.require(
            "code.known", f"{name} at {hexed(contract.address)}", found.startswith(expected),
            expected=f"{len(expected)} bytes compiled from {name}.vy", found=f"{len(found)} other bytes",
        )  # fmt: skip
