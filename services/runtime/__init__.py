"""The doing room: the worker, the relay and the collectors. It thinks nothing of its own.

- the `worker` and its loop: which partitions it has (`holdings`), how much it takes (`appetite`, `pressure`), what it
  looks after now and then (`upkeep`), its `clock`, its pauses (`backoff`), whether it is well (`health`)
- a record becomes facts: `reading`; `keeping` of its bytes for replay
- one transaction, the `hallway`: its `work`, where each fact goes (`routing`), what concerns several contracts
  (`documents`, `claims`, `moving` of facts with their keys), each contract's `turn` with `containment` of defects, what
  is `known` from the turn before; what is written (`gathered`), counted (`totals`) and bounded (`sizes`)
- between batches: `reviews` that fell due, `unparking`
- the way out: what is said (`outgoing`), by the `relay`, in `lanes`, under `leases`
- systems that do not tell by themselves: `collect`
- for people, without I/O: `explain`, `past`, `sentences`, `evidence`
- all of it in memory, for `milepost try`: `trial`
"""
