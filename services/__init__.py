"""The rooms: reconciliation thinks, gate and runtime do, console shows, wiring joins them to the doors, and cli is the
front desk."""
