"""viem on the development chain's server. web3.py, which needs no installing, is in `test_chain_rpc`."""

from pathlib import Path
from typing import Any

import pytest
from vyper import compile_code

from ledger.devchain import DevChain
from ledger.devchain.rpc import create_app
from ledger.hexcodec import from_data, to_data
from tests.clients import run_with_viem
from tests.ledger.chain import contract
from tests.ledger.chain.contract import notes, word
from tests.ledger.chain.serving import served

SCRIPT = Path(__file__).parents[2] / "clients" / "notebook.cjs"


@pytest.mark.slow
def test_viem_reads_sends_deploys_calls_and_follows_events(devchain: DevChain) -> None:
    with served(create_app(devchain)) as url:
        saw: dict[str, Any] = run_with_viem(
            SCRIPT,
            url=url,
            chainId=devchain.chain_id,
            abi=compile_code(contract.SOURCE, output_formats=["abi"])["abi"],
            bytecode=to_data(contract.bytecode()),
            privateKey=to_data(devchain.accounts[0].private_key),
        )
    assert (saw["chainId"], saw["balance"]) == (31_337, str(10**24))
    transfer = saw["transfer"]
    assert transfer["statuses"] == ["success", "success"]
    assert int(transfer["received"]) == 1_500_000_000_000_000_000 + 7
    assert int(transfer["spent"]) == int(transfer["fee"]) + 7
    assert transfer["signed"] is True

    found = saw["notes"]
    assert [devchain.call(from_data(found["address"]), notes(key)) for key in (7, 8)] == [word(70), word(80)]
    assert found["notes"] == ["70", "80"]
    events = [["4", "7", "70"], ["5", "8", "80"]]
    assert found["changes"] == found["logs"] == found["watched"] == events
    assert found["again"] == []
    assert found["seventh"] == events[:1]
    assert found["blocks"] == found["mined"]
    assert found["pending"] == found["hashes"]
    assert found["uninstalled"] == [True, False]
    assert found["refusal"] == "notes: too large"
