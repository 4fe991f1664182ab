"""The commands: one file each. Parse, call the library, render, return an exit code."""
