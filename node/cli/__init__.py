"""The `wattbook` command: a module per subcommand."""
