"""The claims of the notes, as data, and what decides each. Must not know a model."""
