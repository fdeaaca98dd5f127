"""Devices as the stores that plans know."""

from agents.devices.battery import Battery
from agents.devices.electric_vehicle import ElectricVehicle
from agents.devices.heat_pump import HeatPump
from agents.devices.limits import slot_energy_wh
from agents.scheduler.store import PPM, Shape, Store, constant
from matching.book import Ints


def battery_store(
    battery: Battery, stored_wh: int, slots: int, slot_s: int, *, name: str = "the battery"
) -> Store:
    """A battery that holds `stored_wh` now.

    Args:
        battery: its parameters.
        stored_wh: what it can give, Wh.
        slots: number of slots to plan.
        slot_s: length of a slot, seconds.
        name: as people call it.
    """
    shape = _shape(battery, slot_s)
    return Store(
        name=name,
        goal="kept within its limits",
        shape=shape,
        wear_nano_per_wh=battery.degradation_nano_per_wh,
        initial_wh=stored_wh,
        charge_limit_wh=constant(shape.max_charge_wh, slots),
        discharge_limit_wh=constant(shape.max_discharge_wh, slots),
        use_wh=constant(0, slots),
        least_wh=constant(0, slots),
        most_wh=constant(battery.capacity_wh, slots),
    )


def vehicle_store(
    vehicle: ElectricVehicle, stored_wh: int, starts: Ints, slot_s: int, *, name: str = "the car"
) -> Store:
    """A vehicle over slots: it must have what each stay needs at the end of the stay's last whole slot.

    It leaves with no more than it needs, unless it came with more. In the slot after, its level falls by what it
    needs beyond what the next stay starts with. One that comes back with more than it left with has charged
    elsewhere, which a plan does not count on.

    Args:
        vehicle: its battery and stays.
        stored_wh: what it can give now or, while it is away, will be able to give when it comes back, Wh.
        starts: starts of the slots, Unix seconds UTC.
        slot_s: length of a slot, seconds.
        name: as people call it.
    """
    slots, begin = len(starts), int(starts[0])
    shape = _shape(vehicle.battery, slot_s)
    here, use, least = constant(0, slots), constant(0, slots), constant(0, slots)
    most = constant(vehicle.battery.capacity_wh, slots)
    for number, stay in enumerate(vehicle.stays):
        # the first slot that lies wholly in the stay, and the first after it that does not
        first, end = -((begin - stay.arrival) // slot_s), (stay.departure - begin) // slot_s
        if first >= end:
            continue
        here[max(first, 0) : max(end, 0)] = 1
        if 1 <= end <= slots:
            least[end - 1] = stay.needed_wh
            most[end - 1] = max(stay.needed_wh, stay.arrives_with_wh)
        if 0 <= end < slots:
            following = vehicle.stays[number + 1 : number + 2]
            use[end] = max(stay.needed_wh - (following[0].arrives_with_wh if following else 0), 0)
    return Store(
        name=name,
        goal="charged for its trip",
        shape=shape if vehicle.may_discharge else Shape(shape.efficiency_ppm, PPM, shape.max_charge_wh, 0),
        wear_nano_per_wh=vehicle.battery.degradation_nano_per_wh,
        initial_wh=stored_wh,
        charge_limit_wh=here * shape.max_charge_wh,
        discharge_limit_wh=here * (shape.max_discharge_wh if vehicle.may_discharge else 0),
        use_wh=use,
        least_wh=least,
        most_wh=most,
    )


def tank_store(pump: HeatPump, stored_wh: int, demand_wh: Ints, *, name: str = "the tank") -> Store:
    """A heat pump's or boiler's tank, in Wh of heat.

    Args:
        pump: its parameters.
        stored_wh: heat in the tank now, Wh.
        demand_wh: heat expected to be taken from it in each slot to plan, Wh.
        name: as people call it.
    """
    slots = len(demand_wh)
    most_wh = slot_energy_wh(pump.max_w, pump.demand.slot_s)
    return Store(
        name=name,
        goal="warm enough",
        shape=Shape(pump.performance_ppm, PPM - pump.standing_loss_ppm, most_wh, 0),
        wear_nano_per_wh=0,
        initial_wh=stored_wh,
        charge_limit_wh=constant(most_wh, slots),
        discharge_limit_wh=constant(0, slots),
        use_wh=demand_wh,
        least_wh=constant(0, slots),
        most_wh=constant(pump.tank_wh, slots),
    )


def _shape(battery: Battery, slot_s: int) -> Shape:
    return Shape(
        efficiency_ppm=battery.efficiency_ppm,
        retention_ppm=PPM,
        max_charge_wh=slot_energy_wh(battery.max_charge_w, slot_s),
        max_discharge_wh=slot_energy_wh(battery.max_discharge_w, slot_s),
    )
