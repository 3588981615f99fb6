"""Fuzzing of every parser that reads the outside: `make fuzz`, or `python -m fuzz TARGET`."""
