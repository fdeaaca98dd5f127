import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import node.keystore
from node.cli.keystore import PASSWORD_VARIABLE
from node.cli.main import app
from node.keystore import PARTIES, Keystore
from node.parties import Parties, development_parties

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    # Cheap to try, so that the tests are quick.
    monkeypatch.setattr(node.keystore.Keystore.__init__, "__kwdefaults__", {"scrypt_n": 2**4})


def run(folder: Path, *arguments: str, password: str | None = PASSWORD, typed: str | None = None) -> Result:
    environment = {"WATTBOOK_KEYSTORE": str(folder), PASSWORD_VARIABLE: password}
    return CliRunner().invoke(app, ["keys", *arguments], env=environment, input=typed)


def parties_file(folder: Path, parties: Parties) -> Path:
    path = folder / "parties.json"
    path.write_text(json.dumps({name: getattr(parties, name).secret.hex() for name in PARTIES}))
    return path


def test_new_keys_are_made_for_whoever_has_none(tmp_path: Path) -> None:
    assert run(tmp_path / "keys", "new", "operator", "utility").exit_code == 0
    first = Keystore(tmp_path / "keys").addresses()
    assert list(first) == ["operator", "utility"]
    assert run(tmp_path / "keys", "new").exit_code == 0
    all_of_them = Keystore(tmp_path / "keys").addresses()
    assert list(all_of_them) == list(PARTIES)
    assert first.items() <= all_of_them.items()


def test_imported_keys_are_the_ones_of_the_file(tmp_path: Path) -> None:
    parties = development_parties()
    result = run(tmp_path / "keys", "import", str(parties_file(tmp_path, parties)))
    assert result.exit_code == 0, result.output
    assert Keystore(tmp_path / "keys").unlock(PASSWORD) == parties
    assert not any(getattr(parties, name).secret.hex() in result.output for name in PARTIES)


def test_one_partys_key_is_imported_from_a_file_of_its_own(tmp_path: Path) -> None:
    key = development_parties().issuer
    (tmp_path / "issuer").write_text(f"0x{key.secret.hex()}\n")
    assert run(tmp_path / "keys", "import", str(tmp_path / "issuer"), "--party", "issuer").exit_code == 0
    assert Keystore(tmp_path / "keys").key("issuer", PASSWORD) == key


def test_what_is_listed_and_exported_is_public(tmp_path: Path) -> None:
    parties = development_parties()
    run(tmp_path / "keys", "import", str(parties_file(tmp_path, parties)))
    addresses = {name: f"0x{getattr(parties, name).address.hex()}" for name in PARTIES}
    for arguments in (("list", "--json"), ("export-public",)):
        shown = json.loads(run(tmp_path / "keys", *arguments, password=None).output)
        assert {name: address.lower() for name, address in shown.items()} == addresses
    run(tmp_path / "keys", "export-public", "--output", str(tmp_path / "public.json"))
    assert json.loads((tmp_path / "public.json").read_text()) == shown


def test_the_password_comes_from_a_file_the_environment_or_a_person(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("from a file\n")
    secret.chmod(0o600)
    run(tmp_path / "a", "new", "operator", "--password-file", str(secret))
    Keystore(tmp_path / "a").key("operator", "from a file")
    typed = "by hand\nby hand\n"
    assert run(tmp_path / "b", "new", "operator", password=None, typed=typed).exit_code == 0
    Keystore(tmp_path / "b").key("operator", "by hand")


def test_further_keys_have_the_same_password(tmp_path: Path) -> None:
    run(tmp_path / "keys", "new", "operator")
    result = run(tmp_path / "keys", "new", "utility", password="another")
    assert result.exit_code == 1
    assert "the password is wrong" in result.stderr
    assert list(Keystore(tmp_path / "keys").addresses()) == ["operator"]


@pytest.mark.parametrize("command", ["list", "export-public"])
def test_a_folder_that_is_not_there_has_no_keys_to_show(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    result = run(tmp_path / "nowhere", command)
    assert (result.exit_code, "is not a folder of keys" in result.stderr) == (2, True)


def test_a_password_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("open")
    secret.chmod(0o644)
    result = run(tmp_path / "keys", "new", "operator", "--password-file", str(secret))
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "has mode 644" in result.stderr
