"""The words, spoken in every room: facts, registrations, commands, records and money. Nothing here does I/O.

- what sources say: `facts`, made of `fact_fields`; what Milepost says itself: `own_facts`; which of it are `persons`
- a contract: its `plan` and `plan_changes`, read by `registration` from the `registration_document`, perhaps by a
  `template`, with `registration_faults` and `registration_terms` in their place and the rest told all the same
  (`registration_repair`); written back as a `plan_document`; each of the `faults` with field, value and rule
- what Milepost tells: `commands`, `notices`, hold `reasons`; `drift` in finance, with its `payables`
- shared by all: `money`, `calendars`, `records` and their sources, `rows` of stores, `collected` objects
- the three families of `errors`; `failpoints`
- published: JSON `schemas`, the `asyncapi` document
"""
