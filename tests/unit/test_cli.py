"""The command line for people: contracts, acts and looking; what it says, what it does, and how it ends."""

import hashlib
import json

from desk import CONFIG, met, say

# Contracts


def test_a_contract_is_applied_and_applying_it_again_changes_nothing(desk):
    plan = desk.plan()
    assert [v["outcome"] for v in desk.json("contract", "apply", plan)] == ["applied"]
    assert [v["outcome"] for v in desk.json("contract", "apply", plan)] == ["duplicate"]
    assert len(desk.sent) == 1


def test_applied_twice_before_a_worker_reads_it_is_one_registration(desk):
    desk.working = False
    plan = desk.plan()
    desk("contract", "apply", plan, "--no-wait")
    desk("contract", "apply", plan, "--no-wait")
    assert len({dict(r.headers)["ce_id"] for r in desk.sent}) == 1
    desk.working = True
    assert [v["outcome"] for v in desk.json("contract", "apply", plan)] == ["applied"]
    assert desk.json("contract", "show", "C-1")["revision"] == 1


def test_several_documents_in_one_file_are_applied_in_order(desk):
    both = desk.write("both.yaml", desk.plan("C-1").read_text() + "---\n" + desk.plan("C-2").read_text())
    assert [(v["contract"], v["outcome"]) for v in desk.json("contract", "apply", both)] == [
        ("C-1", "applied"),
        ("C-2", "applied"),
    ]
    assert [c["contract"] for c in desk.json("contract", "list")] == ["C-1", "C-2"]


def test_faults_of_all_files_are_listed_with_their_lines_and_nothing_is_sent(desk):
    good = desk.plan()
    bad = desk.write("bad.yaml", desk.plan().read_text().replace('"1500.00"', "1500.0").replace("title: T", "titel: T"))
    worse = desk.write("worse.yaml", "contract: [")
    told = desk("contract", "apply", good, bad, worse, "/nowhere.yaml", code=2)
    assert "bad.yaml:17: milestones.M2.value" in told
    assert "bad.yaml:4: titel is no field" in told
    assert "title is missing" in told
    assert "worse.yaml:1" in told
    assert "/nowhere.yaml cannot be read" in told
    assert not desk.sent


def test_a_key_that_stands_twice_is_a_fault(desk):
    twice = desk.write("twice.yaml", desk.plan().read_text() + "title: Another\n")
    assert "title stands twice" in desk("contract", "apply", twice, code=2)


def test_one_version_with_two_contents_is_a_fault(desk):
    other = desk.write("other.yaml", desk.plan().read_text().replace("Turbine", "Boiler"))
    assert "with other content" in desk("contract", "apply", desk.plan(), other, code=2)


def test_a_json_document_is_read_too(desk):
    import yaml

    plan = desk.write("plan.json", json.dumps(yaml.safe_load(desk.plan().read_text())))
    assert "applied" in desk("contract", "apply", plan)


def test_a_registration_the_contract_refuses_ends_with_1_and_its_reason(registered):
    later = registered.plan().read_text().replace("version: 1", "version: 2")
    later = later.replace("- id: M2", "- id: M3\n    replaces: [M9]")
    refused = registered.json("contract", "apply", registered.write("v2.yaml", later), code=1)
    assert refused[0]["outcome"] == "refused"
    assert "v2.yaml:15: milestones.M3.replaces: 'M9' is no milestone of version 1" in refused[0]["sentence"]
    assert len(registered.sent) == 1


def test_a_proposed_amendment_is_stored_and_then_approved_under_the_same_version(registered):
    amendment = "amendment: {id: A-1, state: proposed, rationale: more, requested_by: jane}\n"
    proposed = registered.plan().read_text().replace("version: 1", "version: 2") + amendment
    told = registered.json("contract", "apply", registered.write("v2.yaml", proposed))
    assert "not in force" in told[0]["sentence"]
    approved = proposed.replace("state: proposed", "state: approved, approved_by: joe")
    told = registered.json("contract", "apply", registered.write("v2.yaml", approved))
    assert (told[0]["outcome"], told[0]["sentence"]) == ("applied", "version 2 is in force")
    told = registered.json("contract", "apply", registered.write("v2.yaml", proposed))
    assert told[0]["outcome"] == "applied"  # taken back: an event of its own
    assert [v["in_force"] for v in registered.json("contract", "show", "C-1")["versions"]] == [True, False]


def test_without_a_worker_the_wait_ends_and_says_where_the_record_lies(desk):
    desk.working = False
    told = desk("contract", "apply", desk.plan(), "--timeout", "0", code=1)
    assert "contract.events/0/0" in told


def test_show_names_positions_with_their_reasons(registered):
    found = registered.json("contract", "show", "C-1")
    assert [(m["milestone"], m["held"]["amount"], m["reasons"]) for m in found["milestones"]] == [
        ("M1", "118500.00", ["NOT_MET", "SIGN_OFF_MISSING"]),
        ("M2", "1500.00", ["NOT_MET"]),
    ]
    assert "Factory acceptance test" in registered("contract", "show", "C-1")


def test_an_unknown_contract_ends_with_1(desk):
    assert "no contract 'C-9' is registered" in desk("contract", "show", "C-9", code=1)


# Acts


def test_signing_releases_and_says_so(registered):
    met(registered)
    told = registered.json("sign", "C-1/M1", "--by", "jane", "--role", "site-manager")
    assert told["outcome"] == "applied"
    assert registered.json("explain", "C-1/M1")[0]["released_to_date"]["amount"] == "118500.00"


def test_signed_evidence_is_hashed_from_the_file(registered):
    document = registered.write("fat.pdf", "all 12 points passed")
    digest = hashlib.sha256(document.read_bytes()).hexdigest()
    registered("evidence", "attach", "C-1/M1", "fat-protocol", document, "--by", "jane")
    registered("sign", "C-1/M1", "--by", "jane", "--role", "qa", "--evidence", f"fat-protocol=@{document}")
    attached, signed = (json.loads(r.value) for r in registered.sent[-2:])
    assert attached["sha256"] == digest
    assert signed["evidence"] == {"fat-protocol": digest}


def test_a_hash_that_is_none_and_a_file_that_is_missing_are_faults(registered):
    assert "is no SHA-256" in registered("evidence", "attach", "C-1/M1", "x", "--sha256", "abc", code=2)
    assert "cannot be read" in registered("evidence", "attach", "C-1/M1", "x", "/nowhere", code=2)
    assert "neither NAME=SHA256" in registered("sign", "C-1/M1", "--by", "j", "--role", "r", "--evidence", "x", code=2)
    assert len(registered.sent) == 1


def test_a_hold_is_placed_and_lifted_and_placed_again(registered):
    met(registered, "M2")
    place = ("hold", "place", "C-1/M2", "--hold", "H1", "--by", "jane", "--reason", "audit")
    assert registered.json(*place)["outcome"] == "applied"
    assert "MANUAL_HOLD" in registered("explain", "C-1/M2")
    registered("hold", "lift", "C-1/M2", "--hold", "H1", "--by", "joe")
    assert "MANUAL_HOLD" not in registered("explain", "C-1/M2")
    registered(*place)
    assert "MANUAL_HOLD" in registered("explain", "C-1/M2")


def test_who_lifts_a_hold_that_nobody_placed_there_is_told_so(registered):
    registered("hold", "place", "C-1/M2", "--hold", "H1", "--by", "jane", "--reason", "audit")
    for place, hold in (("C-1/M2", "H2"), ("C-1", "H1")):
        assert "has said no hold.placed of this name at this place" in registered(
            "hold", "lift", place, "--hold", hold, "--by", "joe"
        )
    for _ in range(2):
        assert "has said no" not in registered("hold", "lift", "C-1/M2", "--hold", "H1", "--by", "joe")


def test_a_dispute_is_in_the_contracts_currency(registered):
    dispute = ("C-1/M2", "--dispute", "D1", "--by", "jane")
    registered("dispute", "open", *dispute, "--reason", "dents", "--amount", "100.00")
    assert json.loads(registered.sent[-1].value)["amount"] == {"amount": "100.00", "currency": "EUR"}
    met(registered, "M2")
    assert registered.json("explain", "C-1/M2")[0]["held"]["amount"] == "100.00"
    registered("dispute", "resolve", *dispute, "--reason", "repaired")
    assert registered.json("explain", "C-1/M2")[0]["held"]["amount"] == "0.00"


def test_what_the_worker_would_refuse_is_not_sent(registered):
    waive = ("waive", "C-1/M1", "SIGN_OFF_MISSING", "--by", "jane", "--ticket", "T-1")
    told = registered.json(*waive, "--approved-by", "jane", code=1)
    assert told["outcome"] == "refused"
    assert len(registered.sent) == 1
    assert registered.json(*waive, "--approved-by", "joe", "--until", "2099-12-31")["outcome"] == "applied"
    assert registered.json("explain", "C-1/M1")[0]["waived"] == ["SIGN_OFF_MISSING"]


def test_the_same_event_id_again_is_a_repeat_and_with_other_words_a_fault(registered):
    place = ("hold", "place", "C-1", "--hold", "H1", "--by", "jane", "--id", "e1")
    assert registered.json(*place, "--reason", "audit")["outcome"] == "applied"
    assert registered.json(*place, "--reason", "audit")["outcome"] == "duplicate"
    assert "used before" in registered(*place, "--reason", "other", code=1)
    assert len(registered.sent) == 2


def test_an_act_about_an_unknown_contract_or_milestone_is_parked_and_said_so(registered):
    sign = ("--by", "jane", "--role", "qa")
    assert registered.json("sign", "C-7/M1", *sign, code=1)["outcome"] == "parked"
    assert registered.json("sign", "C-1/M7", *sign, code=1)["outcome"] == "parked"
    assert sorted(p["contract"] or "" for p in registered.json("parked")) == ["", "C-1"]


def test_slashes_in_ids_are_written_with_percent_signs(desk):
    desk("contract", "apply", desk.plan("C/1%"))
    assert desk.json("explain", "C%2F1%25/M1")[0]["contract"] == "C/1%"
    assert "write %2F" in desk("explain", "C/1/M1", code=2)
    assert "names no milestone" in desk("sign", "C%2F1%25", "--by", "j", "--role", "r", code=2)


def test_the_source_must_be_named_where_several_could_speak(registered):
    registered.config.write_text(CONFIG + "  desk: {dialect: milepost, role: operator, topic: operator.events}\n")
    place = ("hold", "place", "C-1", "--hold", "H1", "--by", "jane", "--reason", "audit")
    assert "--source" in registered(*place, code=2)
    registered(*place, "--source", "desk")
    assert dict(registered.sent[-1].headers)["milepost-source"] == b"desk"
    assert "is no source of role operator" in registered(*place, "--source", "pm", code=2)


# Looking


def test_explain_says_in_sentences_what_holds_since_when_and_who_can_clear_it(registered):
    met(registered)
    told = registered("explain", "C-1/M1")
    assert "Of EUR 118500.00, EUR 0.00 is released and EUR 118500.00 is held." in told
    assert "1. SIGN_OFF_MISSING holds EUR 118500.00 since" in told
    assert "It clears when enough entitled persons sign. Who: signers." in told
    assert "EUR 118500.00 once SIGN_OFF_MISSING cleared." in told
    assert "Last command: hold, sequence 1" in told


def test_conflicts_show_both_words(registered):
    met(registered)
    event = {"contract": "C-1", "milestone": "M1", "status": "notMet"}
    say(registered, "erp", "milestone.assessed", event, "other")
    found = registered.json("conflicts")
    assert [(c["conflict"]["field"], c["holds"]) for c in found] == [("completion", True)]
    assert [w["source"] for w in found[0]["conflict"]["values"]] == ["pm", "erp"]
    assert "pm: " in registered("conflicts", "C-1")


def test_status_counts_what_waits(registered):
    registered.working = False
    met(registered)
    found = registered.json("status")
    assert (found["contracts"], found["behind"], found["frozen"], found["faults"]) == (1, 1, [], [])
    assert [lane["lane"] for lane in found["outbox"]] == ["commands", "decisions", "snapshots"]
    assert "behind       1 records" in registered("status")


def test_status_ends_with_1_where_the_broker_does_not_say(registered, monkeypatch):
    from contracts_schema.errors import TransientError
    from services.wiring import doors

    async def silent(settings, topics):
        raise TransientError("kafka: nobody answers")

    monkeypatch.setattr(doors, "topic_ends", silent)
    told = registered("status", code=1)
    assert "contracts    1" in told
    assert "nobody answers" in told


def test_what_vendors_wrote_cannot_steer_the_terminal(registered):
    say(registered, "pm", "milestone.assessed", {"contract": "C-1", "milestone": "M1", "status": "\x1b[2J"}, "e1")
    told = registered("quarantine", "list") + registered("explain", "C-1/M1")
    assert "\x1b" not in told
