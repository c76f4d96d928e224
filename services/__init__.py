"""The rooms: reconciliation thinks, gate and runtime do, wiring joins them to the doors, cli is the front desk."""
