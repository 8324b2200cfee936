"""The contract with every caller: names, payload models and error types."""
