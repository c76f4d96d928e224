"""Alerts speak of metrics that there are, with the labels that they have, and say what to do."""

import re
from pathlib import Path

import pytest
import yaml

from connectors.telemetry import COUNTERS, GAUGES, HISTOGRAMS
from services.wiring.gate import _Figures

ROOT = Path(__file__).parents[2]
RULES = yaml.safe_load((ROOT / "deploy/alerts.yaml").read_text())["groups"][0]["rules"]
OF_PROMETHEUS = {"instance", "job"}


def metrics():
    """Every metric of ours with its labels."""
    known = {name: set(labels) for name, (_, labels) in (COUNTERS | GAUGES).items()}
    known |= {f"{name}_{part}": {"le"} for name in HISTOGRAMS for part in ("bucket", "sum", "count")}
    for family in _Figures({}).collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        known[name] = set(family._labelnames)
    return known


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_is_about_a_metric_that_there_is(rule):
    known, found = metrics(), re.findall(r"(milepost_\w+)(?:\{([^}]*)\})?", rule["expr"])
    assert found
    used = grouped(rule["expr"]) - OF_PROMETHEUS
    for name, matchers in found:
        assert name in known, name
        assert {*re.findall(r"(\w+)[=!]", matchers), *used} <= known[name], name


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_what_to_do(rule):
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "do"}
    told = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    kept = grouped(rule["expr"]) or set().union(
        *(metrics()[name] for name in re.findall(r"milepost_\w+", rule["expr"]))
    )
    assert told <= kept


def grouped(expression):
    """The labels that an aggregation keeps."""
    return {label.strip() for some in re.findall(r"by \(([^)]*)\)", expression) for label in some.split(",")}


def test_every_alert_has_a_name_of_its_own():
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
