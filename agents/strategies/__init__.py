"""How an agent prices what its home needs or has to spare."""
