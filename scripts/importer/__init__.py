"""Readers of other tools' trace files, and the writer of RudderStack events."""
