"""Vyper sources that only tests need, compiled and deployed in place."""

import functools
from pathlib import Path

from contracts.artifacts import SOURCES, Artifact
from ledger.abi import Contract, Interface
from ledger.chain import Chain
from ledger.deployment import confirmed
from ledger.keys import Key
from ledger.transactions import build


@functools.cache
def compiled(source: str) -> Artifact:
    import snekmate
    from vyper.compiler import compile_from_file_input
    from vyper.compiler.input_bundle import FileInput, FilesystemInputBundle

    bundle = FilesystemInputBundle([Path(snekmate.__path__[0]).parent, SOURCES.parent])
    path = SOURCES.parent / "inline.vy"
    output = compile_from_file_input(
        FileInput(0, Path(path.name), path, source),
        input_bundle=bundle,
        output_formats=["abi", "bytecode", "bytecode_runtime"],
    )
    creation, runtime = (bytes.fromhex(output[key].removeprefix("0x")) for key in ("bytecode", "bytecode_runtime"))
    return Artifact(name="inline", abi=output["abi"], creation_code=creation, runtime_code=runtime)


def deployed(chain: Chain, deployer: Key, source: str, *arguments: object) -> Contract:
    interface = Interface(compiled(source))
    receipt = confirmed(chain, build(chain, deployer, to=None, data=interface.creation(*arguments)).raw)
    assert receipt.contract_address is not None
    return Contract(chain, receipt.contract_address, interface)
