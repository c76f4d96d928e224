"""The reporting room, pure: figures, morning lists, audit tables and exports over what the log of revisions holds.

`FIGURES.md` defines every figure. Nothing here reads a clock, and nothing changes what is decided.
"""
