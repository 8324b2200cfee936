"""The store of record behind one protocol."""
