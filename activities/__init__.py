"""The imperative shell: one conversation with the outside each."""
