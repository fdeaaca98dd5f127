import base64
import json
import traceback
from pathlib import Path

import pytest

from ledger.devchain import dev_accounts
from ledger.keys import Key
from node.keystore import PARTIES, Keystore, KeystoreError
from node.parties import development_parties
from node.private_files import ExposedFileError

PASSWORD = "correct horse battery staple"
# Cheap to try, so that the tests are quick.
QUICK = 2**4
KEY = Key(dev_accounts()[3].private_key)


def forms(secret: bytes) -> list[bytes]:
    """How a secret would look in a text."""
    return [
        secret,
        secret.hex().encode(),
        secret.hex().upper().encode(),
        base64.b64encode(secret).rstrip(b"="),
        base64.urlsafe_b64encode(secret).rstrip(b"="),
        str(int.from_bytes(secret)).encode(),
        repr(secret)[2:-1].encode(),
    ]


@pytest.fixture
def keystore(tmp_path: Path) -> Keystore:
    return Keystore(tmp_path / "keys", scrypt_n=QUICK)


def test_a_key_comes_back_with_its_password(keystore: Keystore, tmp_path: Path) -> None:
    keystore.add("operator", KEY, PASSWORD)
    assert keystore.key("operator", PASSWORD) == KEY
    assert keystore.addresses() == {"operator": KEY.address}
    file = tmp_path / "keys" / "operator.json"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert json.loads(file.read_text())["crypto"]["kdf"] == "scrypt"
    assert not any(form in file.read_bytes() for form in forms(KEY.secret))


def test_the_format_is_the_one_that_wallets_use(keystore: Keystore, tmp_path: Path) -> None:
    # The test vector of the Web3 secret storage definition, with scrypt.
    (tmp_path / "keys").mkdir(mode=0o700)
    file = tmp_path / "keys" / "operator.json"
    file.write_text(
        """{"address":"008aeeda4d805471df9b2a5b0f38a0c3bcba786b","crypto":{"cipher":"aes-128-ctr","cipherparams":
        {"iv":"83dbcc02d8ccb40e466191a123791e0e"},"ciphertext":
        "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c","kdf":"scrypt","kdfparams":{"dklen":32,
        "n":262144,"p":8,"r":1,"salt":"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"},
        "mac":"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"},
        "id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"""
    )
    file.chmod(0o600)
    expected = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
    assert keystore.key("operator", "testpassword").secret.hex() == expected


def test_all_parties_are_unlocked_together(keystore: Keystore) -> None:
    parties = development_parties()
    for name in PARTIES:
        keystore.add(name, getattr(parties, name), PASSWORD)
    assert keystore.unlock(PASSWORD) == parties


def test_new_keys_are_all_different(keystore: Keystore) -> None:
    for name in PARTIES:
        keystore.create(name, PASSWORD)
    assert len(set(keystore.addresses().values())) == len(PARTIES)
    assert keystore.unlock(PASSWORD).roles.operator == keystore.addresses()["operator"]


def test_a_keystore_that_lacks_a_party_says_which(keystore: Keystore) -> None:
    keystore.add("operator", KEY, PASSWORD)
    with pytest.raises(KeystoreError, match="no key for deployer, owner"):
        keystore.unlock(PASSWORD)


def test_two_parties_do_not_share_a_key(keystore: Keystore) -> None:
    for name in PARTIES:
        keystore.add(name, KEY, PASSWORD)
    with pytest.raises(KeystoreError, match="the same key"):
        keystore.unlock(PASSWORD)


def test_a_key_is_never_overwritten(keystore: Keystore) -> None:
    keystore.add("operator", KEY, PASSWORD)
    with pytest.raises(KeystoreError, match="exists"):
        keystore.create("operator", PASSWORD)
    assert keystore.key("operator", PASSWORD) == KEY


@pytest.mark.parametrize(("party", "password"), [("mayor", PASSWORD), ("../operator", PASSWORD), ("operator", "")])
def test_only_parties_have_keys_and_only_with_a_password(keystore: Keystore, party: str, password: str) -> None:
    with pytest.raises(KeystoreError):
        keystore.add(party, KEY, password)


def test_a_wrong_password_is_told_without_any_secret(keystore: Keystore) -> None:
    keystore.add("operator", KEY, PASSWORD)
    guess = PASSWORD[:-1]
    with pytest.raises(KeystoreError, match="the password is wrong") as refused:
        keystore.key("operator", guess)
    told = "".join(traceback.format_exception(refused.value)).encode()
    assert guess.encode() not in told
    assert not any(form in told for form in forms(KEY.secret))


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace('"version": 3', '"version": 4'),
        lambda text: text.replace('"mac"', '"mic"'),
        lambda text: text.replace('"scrypt"', '"wishes"'),
        lambda text: text.replace('"address"', '"whereabouts"'),
        lambda text: text.replace(KEY.address.hex(), "00" * 20).replace(KEY.address.hex().upper(), "00" * 20),
        lambda text: text.replace('"cipherparams": {', '"cipherparams": 3, "was": {'),
    ],
)
def test_a_damaged_file_is_told_in_one_line(keystore: Keystore, tmp_path: Path, damage: object) -> None:
    keystore.add("operator", KEY, PASSWORD)
    file = tmp_path / "keys" / "operator.json"
    text = file.read_text()
    fields = json.loads(text)
    text = text.replace(fields["address"], fields["address"].lower())
    changed = damage(text)  # type: ignore[operator]  # one of the functions above
    assert changed != text
    file.write_text(changed)
    with pytest.raises(KeystoreError, match=r"operator\.json") as refused:
        keystore.key("operator", PASSWORD)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_refused(keystore: Keystore, tmp_path: Path, mode: int) -> None:
    keystore.add("operator", KEY, PASSWORD)
    (tmp_path / "keys" / "operator.json").chmod(mode)
    with pytest.raises(ExposedFileError, match=f"has mode {mode:o}"):
        keystore.key("operator", PASSWORD)


def test_a_folder_that_others_can_change_is_refused(keystore: Keystore, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys").chmod(0o770)
    with pytest.raises(ExposedFileError, match="has mode 770"):
        keystore.add("operator", KEY, PASSWORD)
