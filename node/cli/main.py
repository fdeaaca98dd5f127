"""The `wattbook` command, put together from its subcommands."""

import typer

from node.cli import certificate_actions, certificate_office, certificate_reports
from node.cli.api_keys import api_keys_app
from node.cli.audit import audit
from node.cli.backup import backup, restore
from node.cli.balance import balance
from node.cli.bill import bill
from node.cli.certificates import certificates_app
from node.cli.chain import chain_app
from node.cli.challenge import bond, challenge_app, uphold, void
from node.cli.challenges import challenges
from node.cli.demo import demo
from node.cli.deposit import deposit
from node.cli.devices import devices_app
from node.cli.events import events
from node.cli.keystore import keys_app
from node.cli.order import order
from node.cli.orders import orders
from node.cli.place import cancel, place
from node.cli.post_order import post_order
from node.cli.readings import readings_app
from node.cli.rebuild import archive, rebuild
from node.cli.restored import restored
from node.cli.serve import serve
from node.cli.simulate import simulate
from node.cli.sweep import sweep
from node.cli.trades import trades
from node.cli.validate import validate
from node.cli.withdraw import withdraw

app = typer.Typer(
    help="A local energy market: neighbours trade energy with one another for every quarter hour.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _command in (
    demo, serve, order, orders, place, cancel, balance, bill, trades, events, audit, deposit, validate, backup,
    restore, restored, archive, rebuild, simulate, sweep,
):  # fmt: skip
    app.command()(_command)

# Each of these modules adds its commands to the application of certificates.
CERTIFICATE_COMMANDS = (certificate_actions, certificate_reports, certificate_office)
app.add_typer(certificates_app, name="certificates")
app.add_typer(devices_app, name="devices")
app.add_typer(readings_app, name="readings")
app.add_typer(chain_app, name="chain")
app.add_typer(keys_app, name="keys")
app.add_typer(api_keys_app, name="api-keys")

_ALONE = "Without the operator"
app.command(rich_help_panel=_ALONE)(post_order)
app.command(rich_help_panel=_ALONE)(withdraw)
app.add_typer(challenge_app, name="challenge", rich_help_panel=_ALONE)
app.command(rich_help_panel=_ALONE)(challenges)
app.command(rich_help_panel=_ALONE)(bond)
app.command(rich_help_panel=_ALONE)(uphold)
app.command(rich_help_panel=_ALONE)(void)
