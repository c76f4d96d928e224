"""How many records a batch takes."""

from services.runtime.appetite import Appetite


def test_batches_grow_while_they_are_half_full_and_shrink_to_the_usual_size_when_hardly_anything_comes():
    appetite, sizes = Appetite(500, 3_000), []
    for came in (12, 500, 500, 2_000, 1_500, 1_499, 300, 299, 0, 0, 250):
        appetite.had(came)
        sizes.append(appetite.now)
    assert sizes == [500, 1_000, 2_000, 3_000, 3_000, 3_000, 3_000, 1_500, 750, 500, 1_000]


def sizes_where(contracts_a_record, seconds_a_record):
    appetite, sizes = Appetite(500, 16_000), []
    for _ in range(6):
        records = appetite.now
        appetite.had(records)
        appetite.took(round(records * contracts_a_record), records * seconds_a_record)
        sizes.append(records)
    return sizes


def test_batches_that_are_about_too_many_contracts_or_take_too_long_grow_no_further():
    assert sizes_where(0.1, 0.0001) == [500, 1_000, 2_000, 4_000, 8_000, 16_000]
    assert sizes_where(1, 0.0001) == [500, 1_000, 2_000, 4_000, 4_000, 4_000]
    assert sizes_where(0.1, 0.0015) == [500, 1_000, 2_000, 2_000, 2_000, 2_000]


def test_a_batch_for_those_who_are_behind_is_never_smaller_than_the_usual_one():
    assert Appetite(500, 100).most == 500


def test_what_is_too_much_goes_below_the_usual_size_where_that_may_be_and_comes_back_when_it_is_full():
    appetite, sizes = Appetite(300, 300, least=1), []
    for _ in range(10):
        appetite.choked()
        sizes.append(appetite.now)
    assert (sizes[0], sizes[-1]) == (150, 1)
    appetite.had(0)
    assert appetite.now == 1
    appetite.had(1)
    assert appetite.now == 2
