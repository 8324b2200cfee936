"""The mutation request workflow and its options."""
