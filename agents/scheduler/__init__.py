"""Strategy (d): plan a household's next hours as a linear program, and bid what a Wh is worth to the plan."""
