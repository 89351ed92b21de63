"""Files: those that ship with the package, those that people write, and those that survive a kill."""
