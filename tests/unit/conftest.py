"""The command line on a store in memory, for every test of what it says."""

import pytest
from desk import Desk


@pytest.fixture
def desk(tmp_path, capsys, monkeypatch):
    desk = Desk(tmp_path, capsys)
    desk.install(monkeypatch)
    return desk


@pytest.fixture
def registered(desk):
    desk("contract", "apply", desk.plan())
    return desk
