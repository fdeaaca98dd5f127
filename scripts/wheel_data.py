"""What the scripts that make data files share: a pinned wheel goes in, one packed file comes out."""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path


def make(requirement: str, sha256: str, output: Path, pack: Callable[[zipfile.ZipFile], bytes]) -> None:
    """Read the command line, make the file from the wheel of `requirement`, and print its SHA-256.

    Without `--wheel` the wheel is fetched with pip. Exits if it is not the one with this hash.
    """
    parser = argparse.ArgumentParser(description=f"Make {output.name} from {requirement}.")
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {requirement}; downloaded if not given")
    parser.add_argument("--output", type=Path, default=output)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel: Path = arguments.wheel or _download(requirement, Path(folder))
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != sha256:
            sys.exit(f"{wheel.name} is not the wheel of {requirement} that this script knows")
        with zipfile.ZipFile(wheel) as archive:
            packed = pack(archive)
    arguments.output.write_bytes(packed)
    print(hashlib.sha256(packed).hexdigest(), arguments.output.name)


def _download(requirement: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*command, requirement], check=True)  # noqa: S603 - nothing in it comes from outside
    return next(folder.glob("*.whl"))
