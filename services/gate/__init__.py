"""The finance gate: drives one finance system to what is wanted, and says what became of each command.

- its `ports`, and the `loop` that owns the lease
- commands come in: `intake`, through the `fence`, which says what is believed and wanted; `informed` of all that waits
- one invoice: `drive` it, by the `steps` that lead there; `judge` what became of it; `remember` it in `memory`; tell
  `findings` and `answers`; `holders` under pseudonyms
- nobody has to name an invoice: `scan`
"""
