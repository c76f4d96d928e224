"""The thinking room, pure: facts in, positions and commands out. `react` is its only door; DECISIONS.md explains."""
