"""The chaos campaign as CI runs it: every stage once, on three brokers and a database of its own."""

import json

import pytest
from chaos.campaign import Campaign
from servers.process import UnavailableError, say

SEED = 20260301


@pytest.mark.kafka
@pytest.mark.postgres
async def test_whatever_breaks_nothing_is_lost_doubled_or_paid_early(tmp_path):
    try:
        campaign = Campaign(tmp_path, SEED)
    except UnavailableError as absent:
        pytest.skip(f"left out: kafka: {absent}")
    faults = await campaign.run()
    say(json.dumps(campaign.figures))
    assert not faults
