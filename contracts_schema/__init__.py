"""The words: facts, registrations, commands, records and money, spoken in every room. Nothing here does I/O."""
