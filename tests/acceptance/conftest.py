"""The house in memory, fresh for every test."""

import pytest
from memory_house import House


@pytest.fixture
async def house():
    house = House()
    yield house
    for process in house.processes:
        await process.die()
