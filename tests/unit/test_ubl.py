"""UBL: what is no document of it, its crosswalk keys, and any bytes at all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ubl_texts import a_document, a_line, a_reference, an_invoice, facts_of, refusal_of

from contracts_schema.errors import MessageError
from mappers.supplier_portal.ubl import normalise_key
from mappers.xml import ELEMENTS_MAX

# What is no such document


def test_other_ubl_documents_carry_no_fact():
    assert facts_of(a_document("ApplicationResponse", "<cbc:ID>1</cbc:ID>")) == ()


def test_a_document_of_more_elements_than_are_read_is_unreadable_only_where_it_might_carry_a_fact():
    many = "<cbc:ID/>" * (ELEMENTS_MAX + 1)
    assert facts_of(a_document("Catalogue", many)) == ()
    assert "more than 50000 elements" in refusal_of(a_document("Invoice", many)).sentence
    assert "more than 50000 elements" in refusal_of(f"<a>{'<b/>' * ELEMENTS_MAX}</a>").sentence


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (lambda text: text[: text.index("<cac:Legal")], "well-formed"),
        (lambda text: text.replace("<cac:Legal", "<cac:Illegal"), "well-formed"),
        (lambda text: text.replace("<cac:Legal", "\xdc<cac:Legal").encode("latin-1"), "the bytes are no UTF-8"),
        (lambda text: text.replace("<cac:Legal", "<a/>" * ELEMENTS_MAX + "<cac:Legal"), "elements"),
        (lambda text: text + "x", "well-formed"),
    ],
)
def test_what_stood_before_the_fault_of_a_broken_document_is_in_doubt(broken, sentence):
    fault = refusal_of(broken(an_invoice(a_line("1.00", a_reference("1")))))
    assert sentence in fault.sentence
    assert {doubt.document or doubt.address.keys for doubt in fault.doubts} >= {
        ("order:PO-1",), "invoice:SUP-1001/I-1"}  # fmt: skip


def test_an_order_number_that_was_cut_off_names_no_order():
    text = an_invoice()
    cut = refusal_of(text[: text.index("PO-1") + 2])
    assert [doubt.address.keys for doubt in cut.doubts] == [()]


@pytest.mark.parametrize("value", [None, b"", b"{}", b"<a/>", b"\x00\xff", b"<Invoice/>"])
def test_what_is_no_ubl_document_is_unreadable_without_doubts(value):
    assert refusal_of(value).doubts == ()


def test_what_is_no_such_document_is_told_by_its_root():
    assert (
        "'{urn:sfti:documents:BasicInvoice:1:0}Invoice'"
        in refusal_of('<Invoice xmlns="urn:sfti:documents:BasicInvoice:1:0"/>').sentence
    )


def test_an_envelope_is_opened_and_must_hold_one_document():
    name = "StandardBusinessDocument"
    header = f'<s:{name} xmlns:s="http://www.unece.org/cefact/namespaces/{name}Header"><s:{name}Header/>'
    envelope = f"{header}{{}}</s:{name}>"
    assert facts_of(envelope.format(an_invoice())) == facts_of(an_invoice())
    assert "not one" in refusal_of(envelope.format(an_invoice() * 2)).sentence


# Crosswalk keys (B5)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        (" order:PO%2f7/ 1 ", "order:PO%2F7/1"),
        ("contract:100%25", "contract:100%25"),
        ("buyer-reference:Mu\u0308nchen", "buyer-reference:M\u00fcnchen"),
        ("project:A:B", "project:A:B"),
    ],
)
def test_crosswalk_keys_are_normalised_as_documents_are(written, key):
    assert normalise_key(written) == key
    assert normalise_key(key) == key


@pytest.mark.parametrize(
    "written",
    ["", "order", "order:", "order:1/2/3", "contract:A/1", "issue:1", "order:NA", "order:5%", "order:/1", "order:\x00"],
)
def test_what_no_document_can_bear_is_no_key(written):
    with pytest.raises(ValueError):
        normalise_key(written)


# Any bytes (law 9)

SOME_AMOUNT = st.one_of(
    st.decimals(-(10**6), 10**6, places=2).map(str), st.sampled_from(["", "NA", "1e3", "x", ".5", "0.005", "9" * 30])
)
SOME_NAME = st.sampled_from(["", "1", "2", "PO-1", "PO/2", "NA", "50", "x" * 301, "5%"])
SOME_LINE = st.builds(
    lambda net, line, order, tag: a_line(net, a_reference(line, order), tag=tag),
    SOME_AMOUNT, SOME_NAME, SOME_NAME, st.sampled_from(["InvoiceLine", "CreditNoteLine"]),
)  # fmt: skip
SOME_INVOICE = st.builds(
    lambda lines, net, kind, order: an_invoice(
        *lines, net=net, kind=kind, head=f"<cac:OrderReference><cbc:ID>{order}</cbc:ID></cac:OrderReference>"
    ),
    st.lists(SOME_LINE, max_size=5), SOME_AMOUNT, st.sampled_from(["Invoice", "CreditNote"]), SOME_NAME,
)  # fmt: skip


def answer(value):
    try:
        return facts_of(value)
    except MessageError:
        return ()


@given(SOME_INVOICE)
@settings(deadline=None)
def test_the_parts_of_any_readable_invoice_add_up_to_its_net(text):
    facts = answer(text)
    if facts:
        assert sum(fact.body.net.minor for fact in facts) == facts[0].body.total.minor
    assert len({fact.id for fact in facts}) == len({fact.address for fact in facts}) == len(facts)


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_any_bytes_are_answered(value):
    answer(value)


@given(SOME_INVOICE, st.integers(0, 5000), st.binary(min_size=1, max_size=6))
@settings(deadline=None)
def test_any_broken_invoice_is_answered(text, at, noise):
    whole = text.encode()
    answer(whole[: at % len(whole)] + noise + whole[at % len(whole) :])
    answer(whole[: at % len(whole)])
