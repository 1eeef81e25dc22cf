"""Throw-away servers of the engines the project runs on, and what compares their answers."""
