"""What the driver raises, by what to do next."""

import asyncpg
import pytest

from connectors.postgres_errors import answers
from contracts_schema.errors import TransientError


def test_a_session_that_the_server_ends_as_a_statement_begins_is_tried_again():
    with pytest.raises(TransientError, match="not reachable"), answers():
        raise asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress")


def test_any_other_fault_inside_the_driver_is_a_defect():
    with pytest.raises(asyncpg.InternalClientError), answers():
        raise asyncpg.InternalClientError("got result for unknown protocol state 3")
