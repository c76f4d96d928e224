"""Templates with what is written over them, and the house's naming standard."""

import asyncio
import json

import pytest
import yaml
from desk import CONFIG

from contracts_schema.registration import check_registration
from contracts_schema.template import expand, merged
from services.wiring.templates import Templates

PARTIES = """\
contract: C-7
version: 1
title: Boiler house
buyer: {id: BUY-1}
supplier: {id: SUP-1}
currency: EUR
value_cap: "1000.00"
"""
FAT = "template: fat-sat-handover\n" + PARTIES
TEMPLATES = Templates(None)


def expanded(desk, text, code=0):
    return desk.json("contract", "apply", desk.write("plan.yaml", text), "--dry-run", code=code)[0]


# Merging


def test_mappings_merge_lists_are_replaced_and_null_takes_away():
    under = {"a": {"x": 1, "y": [1, 2]}, "b": 1, "c": {"z": 1}}
    assert merged(under, {"a": {"y": [3]}, "b": None, "d": 2}) == {"a": {"x": 1, "y": [3]}, "c": {"z": 1}, "d": 2}
    assert under["a"] == {"x": 1, "y": [1, 2]}


def test_milestones_are_merged_by_id_in_either_form_removed_and_added():
    template = {"milestones": [{"id": "A", "title": "a", "kind": "project"}, {"id": "B", "title": "b", "due": "x"}]}
    as_mapping = {"template": "t", "milestones": {"A": None, "B": {"due": None, "owner": "jane"}}}
    assert expand(template, as_mapping) == ({"milestones": [{"id": "B", "title": "b", "owner": "jane"}]}, [])
    new = {"id": "C", "title": "c", "kind": "project"}
    as_list = {"template": "t", "milestones": [{"id": "B", "title": "bb"}, new]}
    assert [m["title"] for m in expand(template, as_list)[0]["milestones"]] == ["a", "bb", "c"]


def test_what_is_written_over_what_the_template_does_not_have_is_told_with_the_nearest():
    template = {"milestones": [{"id": "M1"}, {"id": "M2"}, {"id": "HANDOVER"}]}
    _, faults = expand(template, {"template": "t", "milestones": {"HANDOVR": {"due": "x"}, "M9": None}})
    assert "template t has no milestone 'HANDOVR'; near it are HANDOVER" in faults[0].sentence
    assert "'M9'; near it are HANDOVER, M1, M2" in faults[1].sentence
    twice = {"template": "t", "milestones": [{"id": "M1", "owner": "a"}, {"id": "M1", "owner": "b"}]}
    assert "'M1' is written over twice" in expand(template, twice)[1][0].sentence


# What is shipped


@pytest.mark.parametrize("name", TEMPLATES.names)
def test_the_example_in_a_shipped_templates_own_comment_can_be_registered(name):
    template = TEMPLATES.get(name)
    text = template.path.read_text()
    lines = [line[6:] for line in text.splitlines() if line.startswith("#     ")]
    content, faults = expand(template.content, json.loads(json.dumps(yaml.safe_load("\n".join(lines)), default=str)))
    assert faults == []
    plan = check_registration(content)
    assert not isinstance(plan, list), plan
    regular = [m.value for m in plan.milestones if m.contingency_for is None]
    assert sum(regular) == plan.value_cap
    assert plan.unallocated == 0
    assert template.about


def test_there_are_templates_for_what_the_field_uses(desk):
    listed = desk.json("contract", "template", "list")
    assert [t["template"] for t in listed] == ["construction-retention", "fat-sat-handover", "it-by-acceptance"]
    assert "Factory acceptance test" in desk("contract", "template", "show", "fat-sat-handover")
    assert "near it are fat-sat-handover" in desk("contract", "template", "show", "fat-sat-handovr", code=2)
    assert "A machine or a plant" in desk("contract", "template", "list")


# Applying


def test_the_event_carries_the_whole_document(desk):
    plan = desk.write("plan.yaml", FAT + "milestones: {M1: {due: 2026-06-30}, M4: {owner: jane}}\n")
    assert desk.json("contract", "apply", plan)[0]["outcome"] == "applied"
    sent = json.loads(desk.sent[0].value)
    assert "template" not in sent
    assert [m["id"] for m in sent["milestones"]] == ["M1", "M2", "M3", "M4"]
    assert (sent["milestones"][0]["due"], sent["retention"]["release_on"]) == ("2026-06-30", "M4")
    assert desk.json("contract", "apply", plan)[0]["outcome"] == "duplicate"
    shown = desk.json("contract", "show", "C-7", "--expanded")[0]
    assert [m["value"] for m in shown["milestones"]] == ["300.00", "300.00", "300.00", "100.00"]


def test_a_dry_run_prints_what_would_be_registered_and_sends_nothing(desk):
    text = desk("contract", "apply", desk.write("plan.yaml", FAT + "milestones: {M2: null}\n"), "--dry-run", code=2)
    assert "milestones.M3.after: 'M2' is no milestone of the plan" in text
    over = 'milestones: {M2: null, M1: {percent: "60"}, M3: {after: [M1]}}\n'
    content = yaml.safe_load(desk("contract", "apply", desk.write("plan.yaml", FAT + over), "--dry-run"))
    assert [m["id"] for m in content["milestones"]] == ["M1", "M3", "M4"]
    again = desk.write("again.yaml", yaml.safe_dump(content))
    assert desk.json("contract", "apply", again)[0]["outcome"] == "applied"


def test_a_fault_names_the_line_in_the_document_or_in_the_template(desk):
    told = desk("contract", "apply", desk.write("p.yaml", FAT + "milestones:\n  M1:\n    due: soon\n"), code=2)
    assert "p.yaml:11: milestones.M1.due: 'soon'" in told
    told = desk("contract", "apply", desk.write("p.yaml", FAT + "milestones: {M3: null}\n"), code=2)
    lines = TEMPLATES.get("fat-sat-handover").path.read_text().splitlines()
    after = next(n for n, line in enumerate(lines, 1) if "after: [M3]" in line)
    assert f"p.yaml:9: fat-sat-handover.yaml:{after}: milestones.M4.after: 'M3' is no milestone" in told
    told = desk("contract", "apply", desk.write("p.yaml", FAT.replace("fat-sat", "fat-sad")), code=2)
    assert "p.yaml:1: template: no template is called 'fat-sad-handover'; near it are fat-sat-handover" in told
    assert not desk.sent


def test_a_template_named_in_an_event_is_refused_since_the_log_must_be_complete(desk):
    data = yaml.safe_load(FAT)
    asyncio.run(desk.say("register", "contract.registered", data, "e1"))
    assert "template is no field of a registration" in str(desk.json("quarantine", "list"))


# The house's own


HOUSE = """
naming:
  rules:
    - {of: milestone, pattern: '^[A-Z][0-9]{2}$', explanation: "a letter and two digits, such as M07"}
    - {of: title, kind: payment, pattern: '^[A-Z]', explanation: titles begin with a capital}
    - {of: deliverable, pattern: '^.{3,60}$', explanation: 3 to 60 characters}
    - {of: contract, pattern: '^C-[0-9]+$', explanation: C and a number}
    - {of: evidence, pattern: '^[a-z-]+$', explanation: lower case with dashes}
    - {of: amendment, pattern: '^A-[0-9]+$', explanation: A and a number}
"""
NAMED = (
    PARTIES.replace("C-7", "X-7")
    + """\
milestones:
  - id: M01
    title: first
    kind: payment
    value: "10.00"
    requires: ["evidence:FAT"]
    deliverables: [{name: Protocol}, {name: P}]
  - id: M2
    title: second
    kind: project
"""
)


def test_names_that_do_not_fit_the_standard_are_told_with_their_lines_and_the_explanation(desk):
    desk.config.write_text(CONFIG + HOUSE)
    told = desk("contract", "apply", desk.write("n.yaml", NAMED), code=2)
    for said in (
        "n.yaml:1: contract: 'X-7' does not fit the naming standard: C and a number",
        "n.yaml:10: milestones.M01.title: 'first' does not fit the naming standard: titles begin with a capital",
        "n.yaml:13: milestones.M01.requires.1: 'FAT' does not fit",
        "n.yaml:14: milestones.M01.deliverables.2: 'P' does not fit the naming standard: 3 to 60 characters",
        "n.yaml:15: milestones.M2.id: 'M2' does not fit the naming standard: a letter and two digits, such as M07",
    ):
        assert said in told
    assert "second" not in told  # a rule for payment milestones
    assert not desk.sent


def test_where_the_policy_is_to_warn_it_is_said_and_registered(desk):
    desk.config.write_text(CONFIG + HOUSE.replace("naming:", "naming:\n  policy: warn"))
    plan = desk.write("n.yaml", NAMED)
    assert desk.json("contract", "apply", plan)[0]["outcome"] == "applied"
    desk.run("contract", "apply", plan, "--check", "--config", desk.config)
    told = desk("contract", "apply", desk.write("bad.yaml", NAMED.replace("kind: project", "kind: x")), plan, code=2)
    assert "warning: " in told
    assert "does not fit the naming standard" in told


def test_systems_that_the_configuration_does_not_know_are_told_with_the_nearest(desk):
    text = NAMED + "authority: {received: [portl, erp, supplier_portal]}\nrefs: {epr: [order:1]}\n"
    told = desk("contract", "apply", desk.write("n.yaml", text), code=2)
    assert "n.yaml:18: authority.received.1: 'portl' is neither a source nor a role; near it are" in told
    assert "warning: " in told
    assert "n.yaml:19: refs.epr: 'epr' is no source of the configuration; near it are erp" in told


def test_one_person_under_two_names_is_told_with_the_line(desk):
    desk.config.write_text(CONFIG + "people: {rita: ['register:r1', 'register:r2']}\n")
    amendment = "amendment: {id: A, state: approved, rationale: r, requested_by: r1, approved_by: r2}\n"
    text = NAMED.replace("version: 1", "version: 2") + amendment
    told = desk("contract", "apply", desk.write("n.yaml", text), code=2)
    assert "n.yaml:18: amendment.approved_by: 'r1' and 'r2' are one person, 'rita'" in told


def test_a_house_has_templates_of_its_own_and_config_check_looks_at_them(desk):
    folder = desk.folder / "templates"
    desk.config.write_text(CONFIG + HOUSE + f"templates: {folder}\n")
    assert "is no folder" in desk("config", "check", code=2)
    folder.mkdir()
    own = folder / "fat-sat-handover.yaml"
    own.write_text("# Ours.\nmilestones: [{id: F01, title: Acceptance, kind: payment, percent: 100}]\n")
    desk("config", "check")
    listed = {t["template"]: t["milestones"] for t in desk.json("contract", "template", "list")}
    assert listed["fat-sat-handover"] == ["F01"]
    assert len(listed) == 3
    assert expanded(desk, FAT)["milestones"][0]["id"] == "F01"
    own.write_text("milestones: [{id: f1, title: Acceptance, kind: payment, percent: 100}]\n")
    assert "milestones.f1.id: 'f1' does not fit the naming standard" in desk("config", "check", code=2)
    for broken in ("milestones: [", "- 1\n", "milestones: []\n", "milestones: [{title: x}]\n", "template: x\n" + FAT):
        own.write_text(broken)
        assert "fat-sat-handover.yaml" in desk("config", "check", code=2)


def test_a_pattern_that_is_none_is_a_fault_of_the_configuration(desk):
    desk.config.write_text(CONFIG + "naming: {rules: [{of: milestone, pattern: '[', explanation: x}]}\n")
    assert "is no regular expression" in desk("config", "check", code=2)


def test_without_a_configuration_a_document_can_still_be_looked_at(desk):
    plan = desk.write("n.yaml", NAMED)
    told = desk.run("contract", "apply", plan, "--check", "--config", "/nowhere.yaml")
    assert "1 registrations, no faults" in told
