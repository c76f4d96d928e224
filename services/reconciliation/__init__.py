"""The thinking room, pure: facts in, positions and commands out. DECISIONS.md says what is decided and by which rule.

The way of a fact, from the door on:

- the door: `react` to what arrived, a revision at a time (`revise`); `view` shows a contract as it stands
- what is let in: `admission`, `pseudonyms` in the place of persons
- what is known, the `state`: `merge` folds a fact in by its `subject`; the `crosswalk` says where it belongs,
  what of it is a fact of somebody `elsewhere`, `versions` which plan counts, `adoption` what finance had been told by a
  store that is no more
- what stands at a milestone (`standing`), in the `words` of those who are believed by the `policy`
- a `case`, of all milestones a `contract_case`: `receipt`, `agreed` value, `signatures`, `invoices`, their `claims` and
  what of them was `settled` before; days by the `calendar`
- what follows, a `position` (`decide`): blocking reasons by `checks`, amounts by `money`, `retention` and `disputes`,
  invoices by `targets`, what people must look at by `exceptions`
- what is said: commands or nothing (`issue`), `notices`, the next `review`; kept in the `log`, put on the wire by
  `wire`
"""
