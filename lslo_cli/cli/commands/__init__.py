"""One module for each command. They import what they run only when they run it."""
