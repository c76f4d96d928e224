"""The outlook, pure: when milestones are expected, what a delay moves, and when which money is expected.

Nothing here decides or changes anything. `README.md` beside it defines every word and figure.
"""
