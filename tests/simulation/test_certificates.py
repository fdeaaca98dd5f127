from fractions import Fraction

import numpy as np
from hypothesis import given, settings

from agents.devices.battery import Battery
from simulation.certificates import certificates, member_certificates
from simulation.run import run
from simulation.scenario import Scenario
from tests.simulation.streets import street, streets

BATTERY = Battery(capacity_wh=10_000, max_charge_w=10_000, max_discharge_w=10_000)


def test_only_consumption_of_the_generations_own_slot_is_covered() -> None:
    """At noon 0 generates 1,000 Wh and consumes 100; its battery takes the rest for the evening."""
    results = run(street([[100, 300], [200, 300]], [[1_000, 0], [0, 0]], batteries={0: BATTERY}))
    producer, buyer = member_certificates(results)
    assert (producer.issued_wh, producer.retired_wh, producer.stored_wh) == (1_000, 100, 300)
    assert (buyer.issued_wh, buyer.retired_wh) == (0, 0)  # the battery comes first, and the rest is bought of it
    assert producer.score_24_7 == Fraction(100, 400)
    assert producer.score_with_storage == 1
    assert producer.matched_over_the_run == 1
    assert buyer.matched_over_the_run == 0
    community = certificates(results)
    assert (community.issued_wh, community.consumption_wh) == (1_000, 900)


def test_without_a_battery_the_neighbour_gets_the_certificates_with_the_energy() -> None:
    results = run(street([[100], [200]], [[1_000], [0]]))
    producer, buyer = member_certificates(results)
    assert (producer.retired_wh, buyer.retired_wh) == (100, 200)
    assert buyer.score_24_7 == 1
    assert certificates(results).score_24_7 == 1


def test_without_consumption_there_is_no_score() -> None:
    (member,) = member_certificates(run(street([[0]], [[5]])))
    assert member.score_24_7 is member.score_with_storage is member.matched_over_the_run is None


@settings(max_examples=40)
@given(streets())
def test_never_more_is_retired_in_a_slot_than_was_generated(scenario: Scenario) -> None:
    results = run(scenario)
    retired = results.members["from_generation_wh"].sum(axis=0)
    assert (retired <= results.members["generation_wh"].sum(axis=0)).all()
    assert (results.members["from_generation_wh"] <= results.members["consumption_wh"]).all()
    community = certificates(results)
    assert community.retired_wh + community.stored_wh <= community.issued_wh
    assert community.retired_wh == int(np.sum(retired))
