"""The translators: vendor bytes to facts, commands to vendor calls. Pure; MAPPINGS.md tells what each field means."""
