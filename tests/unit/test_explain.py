"""What an account promises: no more than would be released."""

from builders import Story, a_contract, a_milestone, invoice, met, received, registered

from services.runtime.explain import accounts


def outlook(story):
    (account,) = accounts(story.state(), story.rules)
    return [(part.releases.amount, part.when) for part in account.outlook]


def test_half_accepted_goods_promise_half_once_the_proof_is_there():
    story = Story()
    story.tell(registered(a_contract(a_milestone("M1", "1000.00", requires=["met", "received"]))), received("50"))
    assert outlook(story) == [("500.00", ("NOT_MET",)), ("500.00", ("NOT_MET", "PARTLY_ACCEPTED"))]
    story.tell(met())
    assert outlook(story) == [("500.00", ("PARTLY_ACCEPTED",))]


def test_where_nothing_is_invoiced_yet_all_that_is_held_waits_for_it():
    story = Story()
    story.tell(registered(a_contract(a_milestone("M1", "1000.00", requires=["met", "invoiced"]))))
    assert outlook(story) == [("1000.00", ("NOT_MET", "NOT_INVOICED"))]
    story.tell(invoice("400.00"))
    assert outlook(story) == [("400.00", ("NOT_MET",)), ("600.00", ("NOT_MET", "PARTLY_INVOICED"))]
