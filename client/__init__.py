"""How to ask, from Python and from the command line."""
