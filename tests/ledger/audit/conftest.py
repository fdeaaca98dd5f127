"""The audit reads what it is given by any kind of chain."""

from tests.chains import run_on_each_chain

pytest_generate_tests = run_on_each_chain
