"""The rules of a request's life, as pure functions over frozen values."""
