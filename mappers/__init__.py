"""The translators, pure: vendor bytes to facts, commands to vendor calls. MAPPINGS.md tells what each field means.

- the one way in: `translate`, by dialect
- our own events: `canonical`, in the envelope of `cloudevents`
- a module a dialect in `erp`, `project`, `supplier_portal` and `finance`
- shared meaning: `values`, made `statements` with ids of their own; `strict_json` and `xml` that say one thing only
"""
