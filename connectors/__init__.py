"""The doors: how bytes get in and out, without what they mean. README.md tells how a system is connected.

- Kafka (`kafka`) and Postgres (`postgres`, what its errors mean to us in `postgres_errors`)
- the database's `schema`, its `migrations`, who may do what in it (`postgres_roles`), logs in files (`archive`)
- systems asked by `rest`, with a module a dialect in `erp`, `project` and `supplier_portal`; which `hosts` are trusted;
  systems that call us: `webhooks`, behind the `http_server`
- finance systems that the gate drives: `finance`
- in memory, for `milepost try` and tests: `memory` and its `memory_tables`, `memory_feed`, `memory_cursor`,
  `memory_gate`; what all stores do alike with `wakes`
- out of wheels, for `milepost demo` alone: `embedded`, `embedded_kafka`, `embedded_finance`
- what a process tells about itself: `telemetry`, `tracing`
"""
