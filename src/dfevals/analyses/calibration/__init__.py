"""How far scores can be taken at their word, and how to mend them."""
