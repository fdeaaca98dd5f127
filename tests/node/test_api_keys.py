import json
from hashlib import sha256
from pathlib import Path

import pytest

from node.api_keys import MAX_KEYS, ApiKeyError, ApiKeyFile, Scope
from node.private_files import ExposedFileError

ISSUER = frozenset({Scope.ISSUER})
NOW = 1_750_000_000


@pytest.fixture
def keys(tmp_path: Path) -> ApiKeyFile:
    return ApiKeyFile.of(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "api-keys.json"


def test_a_key_is_good_for_its_scopes_and_nothing_else_is(keys: ApiKeyFile) -> None:
    assert keys.scopes("") == frozenset()
    token = keys.new("registry", ISSUER | {Scope.METER}, NOW)
    assert keys.scopes(token) == {Scope.ISSUER, Scope.METER}
    for other in ("", token[:-1], token + "x", "registry", sha256(token.encode()).hexdigest()):
        assert keys.scopes(other) == frozenset()


def test_what_is_kept_is_the_hash_and_only_the_owner_reads_it(keys: ApiKeyFile, file: Path) -> None:
    token = keys.new("registry", ISSUER, NOW)
    assert token not in file.read_text()
    (entry,) = json.loads(file.read_text())
    assert entry["sha256"] == sha256(token.encode()).hexdigest()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_revoked_key_is_good_for_nothing_at_once_and_elsewhere(keys: ApiKeyFile, tmp_path: Path) -> None:
    token, other = keys.new("registry", ISSUER, NOW), keys.new("meters", ISSUER, NOW)
    serving = ApiKeyFile.of(tmp_path)
    assert serving.scopes(token) == serving.scopes(other) == ISSUER
    keys.revoke("registry")
    assert serving.scopes(token) == frozenset()
    assert serving.scopes(other) == ISSUER
    with pytest.raises(ApiKeyError, match="no key 'registry'"):
        keys.revoke("registry")


def test_names_are_unique_and_there_is_always_a_scope(keys: ApiKeyFile) -> None:
    keys.new("registry", ISSUER, NOW)
    for name, scopes in (
        ("registry", ISSUER),
        ("", ISSUER),
        ("a\nb", ISSUER),
        ("x" * 101, ISSUER),
        ("y", frozenset()),
    ):
        with pytest.raises(ApiKeyError):
            keys.new(name, scopes, NOW)
    assert [key.name for key in keys.listed()] == ["registry"]


def test_there_is_a_limit_to_how_many_there_are(keys: ApiKeyFile, file: Path) -> None:
    keys.new("first", ISSUER, NOW)
    (entry,) = json.loads(file.read_text())
    file.write_text(json.dumps([entry | {"name": f"key {n}"} for n in range(MAX_KEYS)]))
    with pytest.raises(ApiKeyError, match="at most"):
        keys.new("one more", ISSUER, NOW)


@pytest.mark.parametrize("text", ["", "{", "[3]", '[{"name": "x"}]', '[{"name": "x", "scopes": ["king"]}]'])
def test_a_damaged_file_is_refused(keys: ApiKeyFile, file: Path, text: str) -> None:
    keys.new("registry", ISSUER, NOW)
    file.write_text(text)
    with pytest.raises(ApiKeyError, match="is damaged"):
        ApiKeyFile(file).scopes("anything")


def test_a_file_that_others_can_read_is_refused(keys: ApiKeyFile, file: Path) -> None:
    keys.new("registry", ISSUER, NOW)
    file.chmod(0o640)
    with pytest.raises(ExposedFileError):
        ApiKeyFile(file).scopes("anything")
