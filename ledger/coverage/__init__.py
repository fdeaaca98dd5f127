"""How far certificates cover consumption slot by slot (24/7), and the emissions that follow."""
