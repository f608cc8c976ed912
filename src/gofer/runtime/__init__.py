"""The leaves: the only code that waits. `base` is the contract, every other file a world."""
