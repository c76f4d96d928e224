"""What the driver raises, by what to do next."""

import asyncpg
import pytest

from connectors.postgres_errors import answers, family_of
from contracts_schema.errors import TransientError


def test_a_session_that_the_server_ends_as_a_statement_begins_is_tried_again():
    with pytest.raises(TransientError, match="not reachable"), answers():
        raise asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress")


def test_any_other_fault_inside_the_driver_is_a_defect():
    with pytest.raises(asyncpg.InternalClientError), answers():
        raise asyncpg.InternalClientError("got result for unknown protocol state 3")


def test_a_session_that_cannot_begin_on_a_full_disk_is_tried_again():
    fault = asyncpg.PostgresError.new({"C": "XX000", "M": "could not write init file"})
    assert isinstance(family_of(fault), TransientError)


def test_any_other_internal_error_of_the_server_is_a_defect():
    assert family_of(asyncpg.PostgresError.new({"C": "XX000", "M": "cache lookup failed"})) is None
