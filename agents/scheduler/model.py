"""The linear program of a plan: one structure, built once, of which each plan changes only bounds and costs.

With import i, export e, curtailment k, and for each store charge c, discharge d and level L, minimise

    Σt import_price·i - export_price·e + Σstores wear·d

    balance   i - e - k - Σ c + Σ d = load - generation
    level     L[t] - retention·L[t-1] - efficiency·c + d = -use            (L[-1] is the initial level)

within bounds. Three kinds of columns are closed (fixed at zero) in a plan, and opened by `elastic` to find out
what is in the way where there is none: `missing` energy in a store, import `over` and export `spilled` beyond the
connection's limits.

Importing and exporting at once never pays, as no outlook pays more for a Wh than it charges. Charging and
discharging at once wastes energy, and pays only where energy is worth less than nothing: at a negative price, or
where more is generated than the connection may carry away. A structure made with `exclusive` has also a binary for
each slot and store, 1 to charge and 0 to discharge, of which `restrict` makes integer only those of such slots.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import highspy
import numpy as np
from scipy import sparse

from agents.scheduler.outlook import Floats, Outlook
from agents.scheduler.store import PPM, Shape, Store
from matching.book import Mask
from matching.errors import WattbookError

COST_UNIT = 1e5
"""Nano-credit in a unit of the objective, so that prices are about 1 and the solver's tolerances about 0.01
nano-credit per Wh."""

BEYOND_LIMIT = 1_000.0
"""Weight of a Wh beyond the connection's limit beside a Wh missing in a store: only the load can cause it."""

LATER = 1e-4
"""How much less a Wh weighs that is missing a slot later: what is missing shows at the deadline, not before."""

DETOUR = 1e-5
"""Weight of a Wh discharged, so that what one store lacks is not said to be missing in another that gives it."""


class SolverError(WattbookError):
    """The solver gave up: a defect of the model, or a resource exhausted, never the household's wishes."""

    code = "scheduler.solver"


@dataclass(frozen=True, slots=True)
class Blocks:
    """Where in the model's columns and rows each quantity has its slots: block b is columns b·T … (b + 1)·T."""

    slots: int
    stores: int

    IMPORT, EXPORT, CURTAILED, OVER, SPILLED = range(5)

    def charge(self, store: int) -> int:
        """Block of the store's charging; discharging, level and missing energy follow it."""
        return 5 + 4 * store

    @property
    def modes(self) -> int:
        """First block of the binaries, one block a store."""
        return 5 + 4 * self.stores

    def columns(self, block: int) -> slice:
        """The columns, or rows, of a block."""
        return slice(block * self.slots, (block + 1) * self.slots)


class Model:
    """A plan's linear program in the solver; load it with an outlook and stores, then solve.

    Args:
        slots: number of slots it plans.
        shapes: of the stores, whose order every later call keeps.
        exclusive: make the binaries that forbid charging and discharging in one slot.
    """

    def __init__(self, slots: int, shapes: Sequence[Shape], *, exclusive: bool = False) -> None:
        self.blocks = Blocks(slots, len(shapes))
        self.exclusive = exclusive
        matrix, opposites = _matrix(self.blocks, shapes, exclusive)
        rows, columns = matrix.shape
        self.cost = np.zeros(columns)
        self.lower, self.upper = np.zeros(columns), np.zeros(columns)
        self.row_lower = np.concatenate([np.zeros(rows - len(opposites)), np.full(len(opposites), -np.inf)])
        self.row_upper = np.concatenate([np.zeros(rows - len(opposites)), opposites])
        self._column_ids = np.arange(columns, dtype=np.int32)
        self._row_ids = np.arange(rows, dtype=np.int32)
        self._solver = highspy.Highs()  # type: ignore[no-untyped-call]  # its stubs lack it
        self._solver.setOptionValue("output_flag", False)
        self._solver.setOptionValue("threads", 1)
        self._solver.setOptionValue("mip_rel_gap", 0.0)
        self._solver.passModel(self._as_lp(matrix))

    def _as_lp(self, matrix: sparse.csc_array) -> highspy.HighsLp:
        lp = highspy.HighsLp()
        lp.num_row_, lp.num_col_ = matrix.shape
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = self.cost, self.lower, self.upper
        lp.row_lower_, lp.row_upper_ = self.row_lower, self.row_upper
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = (
            matrix.indptr,
            matrix.indices,
            matrix.data,
        )
        return lp

    def load(self, outlook: Outlook, stores: Sequence[Store]) -> None:
        """Set every cost, bound and right-hand side to this outlook's and these stores'."""
        at = self.blocks.columns
        for array in (self.cost, self.lower, self.upper):
            array[:] = 0
        self.cost[at(Blocks.IMPORT)] = outlook.import_price / COST_UNIT
        self.cost[at(Blocks.EXPORT)] = -outlook.export_price / COST_UNIT
        self.upper[at(Blocks.IMPORT)] = outlook.import_limit_wh
        self.upper[at(Blocks.EXPORT)] = outlook.export_limit_wh
        self.upper[at(Blocks.CURTAILED)] = outlook.generation_wh if outlook.curtailable else 0
        self.row_lower[at(0)] = outlook.load_wh - outlook.generation_wh
        for number, store in enumerate(stores):
            charge = self.blocks.charge(number)
            self.upper[at(charge)] = store.charge_limit_wh
            self.cost[at(charge + 1)] = store.wear_nano_per_wh / COST_UNIT
            self.upper[at(charge + 1)] = store.discharge_limit_wh
            self.lower[at(charge + 2)] = store.least_wh
            self.upper[at(charge + 2)] = store.most_wh
            use = -store.use_wh.astype(np.float64)
            use[0] += store.initial_wh * store.shape.retention_ppm / PPM
            self.row_lower[at(1 + number)] = use
        equalities = slice(0, (1 + self.blocks.stores) * self.blocks.slots)
        self.row_upper[equalities] = self.row_lower[equalities]
        if self.exclusive:
            self.upper[self.blocks.modes * self.blocks.slots :] = 1
            self._continuous()
        self._pass()

    def _pass(self) -> None:
        self._solver.changeColsCost(len(self.cost), self._column_ids, self.cost)
        self._solver.changeColsBounds(len(self.cost), self._column_ids, self.lower, self.upper)
        self._solver.changeRowsBounds(  # type: ignore[attr-defined]  # missing in its stubs
            len(self.row_lower), self._row_ids, self.row_lower, self.row_upper
        )

    def elastic(self) -> None:
        """Open what is closed in a plan, and minimise it instead of the cost; until the next `load`."""
        at = self.blocks.columns
        self.cost[:] = 0
        for block in (Blocks.OVER, Blocks.SPILLED):
            self.cost[at(block)], self.upper[at(block)] = BEYOND_LIMIT, np.inf
        for store in range(self.blocks.stores):
            missing = at(self.blocks.charge(store) + 3)
            self.cost[at(self.blocks.charge(store) + 1)] = DETOUR
            self.cost[missing] = 1 + LATER * np.arange(self.blocks.slots, 0, -1)
            self.upper[missing] = np.inf
        self._pass()

    def restrict(self, slots: Mask) -> None:
        """Let no store charge and discharge in the same of these slots; needs `exclusive`."""
        kinds = np.tile(slots, self.blocks.stores).astype(np.uint8)
        self._solver.changeColsIntegrality(len(kinds), self._mode_ids, kinds)

    def fix_modes(self, values: Floats, slots: Mask) -> None:
        """Fix the binaries of these slots as in these values of all columns, which leaves a linear program."""
        modes = slice(self.blocks.modes * self.blocks.slots, None)
        fixed = np.tile(slots, self.blocks.stores)
        self.lower[modes] = np.where(fixed, np.round(values[modes]), 0)
        self.upper[modes] = np.where(fixed, np.round(values[modes]), 1)
        self._continuous()
        self._pass()

    @property
    def _mode_ids(self) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
        return self._column_ids[self.blocks.modes * self.blocks.slots :]

    def _continuous(self) -> None:
        kinds = np.zeros(len(self._mode_ids), dtype=np.uint8)
        self._solver.changeColsIntegrality(len(kinds), self._mode_ids, kinds)

    def net_in_first_slot(self, low_wh: float, high_wh: float) -> None:
        """Let import stand for the net flow in the first slot, import less export, between these bounds, Wh."""
        export = self.blocks.slots * Blocks.EXPORT
        self.lower[0], self.upper[0], self.upper[export] = low_wh, high_wh, 0.0
        self._solver.changeColBounds(0, low_wh, high_wh)
        self._solver.changeColBounds(export, 0.0, 0.0)

    def price_in_first_slot(self, price: float) -> None:
        """What a Wh of net flow costs in the first slot, nano-credit, whichever way it goes."""
        self.cost[0] = price / COST_UNIT
        self._solver.changeColCost(0, self.cost[0])

    def solve(self) -> Floats | None:
        """Values of all columns at the least cost, or None if the limits cannot all be kept.

        Raises:
            SolverError: neither was found.
        """
        self._solver.run()
        status = self._solver.getModelStatus()
        if status == highspy.HighsModelStatus.kOptimal:
            return np.array(self._solver.getSolution().col_value)
        if status == highspy.HighsModelStatus.kInfeasible:
            return None
        raise SolverError(f"solver ended with '{self._solver.modelStatusToString(status)}'")

    def solved(self) -> Floats:
        """Values of all columns at the least cost, where limits are known to be kept.

        Raises:
            SolverError: they were not.
        """
        values = self.solve()
        if values is None:
            raise SolverError("solver found no solution where there must be one")
        return values

    @property
    def objective_nano(self) -> float:
        """Least cost found by the last `solve`, nano-credit."""
        return float(self._solver.getInfo().objective_function_value) * COST_UNIT

    @property
    def worth(self) -> Floats:
        """What one Wh more would have been worth in each slot of the last `solve`, nano-credit per Wh.

        The duals of the balance rows; zeros after a solve with binaries, which has none.
        """
        duals = np.array(self._solver.getSolution().row_dual)
        return duals[: self.blocks.slots] * COST_UNIT if duals.size else np.zeros(self.blocks.slots)

    def shift_basis(self, slots: int) -> None:
        """Start the next solve from the last basis, moved on: what was slot `slots` is now slot 0."""
        basis = self._solver.getBasis()
        if not basis.valid:
            return
        basis.col_status = self._shifted(basis.col_status, slots)
        basis.row_status = self._shifted(basis.row_status, slots)
        basis.alien = True
        self._solver.setBasis(basis)

    def _shifted(self, status: list[highspy.HighsBasisStatus], slots: int) -> list[highspy.HighsBasisStatus]:
        period = self.blocks.slots
        moved: list[highspy.HighsBasisStatus] = []
        for start in range(0, len(status), period):
            block = status[start : start + period]
            moved += block[slots:] + block[period - slots :]
        return moved


def _matrix(blocks: Blocks, shapes: Sequence[Shape], exclusive: bool) -> tuple[sparse.csc_array, Floats]:
    """The coefficients, and the right-hand sides of the rows that forbid opposites."""
    one = sparse.eye_array(blocks.slots, format="csc")
    before = sparse.eye_array(blocks.slots, k=-1, format="csc")
    # a block that is zero everywhere still has its place
    zero = sparse.csc_array((blocks.slots, blocks.slots))
    width = blocks.modes + (blocks.stores if exclusive else 0)
    balance = [one, -one, -one, one, -one, *[zero] * (width - 5)]
    rows, limits = [balance], []
    for number, shape in enumerate(shapes):
        charge = blocks.charge(number)
        balance[charge], balance[charge + 1] = -one, one
        level = [zero] * width
        level[charge], level[charge + 1] = -one * shape.gain, one
        level[charge + 2], level[charge + 3] = one - before * (shape.retention_ppm / PPM), -one
        rows.append(level)
    for number, shape in enumerate(shapes if exclusive else ()):
        charging, discharging = [zero] * width, [zero] * width
        charge, mode = blocks.charge(number), blocks.modes + number
        charging[charge], charging[mode] = one, -one * shape.max_charge_wh
        discharging[charge + 1], discharging[mode] = one, one * shape.max_discharge_wh
        rows += [charging, discharging]
        limits += [0, shape.max_discharge_wh]
    matrix = sparse.csc_array(sparse.block_array(rows, format="csc"))
    return matrix, np.repeat(np.array(limits, dtype=np.float64), blocks.slots)
