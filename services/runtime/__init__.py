"""The doing room: the worker's loop, the relay, reviews and collection. It thinks nothing of its own."""
