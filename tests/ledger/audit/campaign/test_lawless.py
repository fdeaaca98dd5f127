"""What contracts without their checks let people do is found from what really happened on chain."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from ledger.audit.run import audit
from tests.ledger.audit import origins
from tests.ledger.audit.campaign.lawless import DEEDS, lawless_contracts
from tests.ledger.audit.origins import Town
from tests.world import new_world, one_world_for_a_test

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with ExitStack() as opened:
        with lawless_contracts(tmp_path_factory.mktemp("lawless")):
            world = opened.enter_context(new_world())
        yield origins.tell(world)


def rules_broken(town: Town) -> set[str]:
    return {finding.rule for finding in audit(town.world.chain, town.world.exchange.address).findings}


def test_of_an_honest_history_only_the_code_is_found(town: Town) -> None:
    assert rules_broken(town) == {"code.known"}


@pytest.mark.parametrize(("rule", "deed"), DEEDS, ids=[deed.__name__ for _, deed in DEEDS])
def test_what_the_contracts_should_not_have_let_through_is_found(
    town: Town, rule: str, deed: Callable[[Town], None]
) -> None:
    with one_world_for_a_test(town.world) as world:
        deed(replace(town, world=world))
        assert {"code.known", rule} <= rules_broken(town)
