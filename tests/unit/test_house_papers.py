"""What people copy from, and what they are sent to, is true: example configurations, the README, the deploy files."""

import re
from pathlib import Path

import pytest
import yaml

from connectors.kafka.topics import read_topics
from services.settings import check, load

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
LINK = re.compile(r"\]\((?!https?://)([^)#]+)\)")


@pytest.mark.parametrize("name", ["milepost.example.yaml", "compose.milepost.yaml"])
def test_an_example_configuration_has_no_fault(name):
    settings = load(ROOT / "deploy" / name, {})
    assert {"erp-eu", "pm", "portal", "office", "register", "ap-eu"} <= settings.source_table().keys()


def test_the_configuration_in_the_readme_has_no_fault():
    [block] = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    settings = check(yaml.safe_load(block))
    assert settings.finance["ap-eu"].mode == "observe"


def test_the_example_speaks_of_every_topic_that_is_provisioned():
    settings = load(ROOT / "deploy" / "milepost.example.yaml", {})
    named = {s.topic for s in settings.source_table().values()} | set(settings.topics.model_dump().values())
    assert {topic.name for topic in read_topics((ROOT / "deploy" / "topics.yaml").read_text())} == named


@pytest.mark.parametrize("paper", ["README.md", "services/ARCHITECTURE.md"])
def test_every_link_leads_somewhere(paper):
    folder = (ROOT / paper).parent
    missing = [link for link in LINK.findall((ROOT / paper).read_text()) if not (folder / link).exists()]
    assert missing == []


def test_every_folder_of_the_map_is_there():
    folders = re.findall(r"^\| `([a-z_/]+/)`", README, re.MULTILINE)
    assert len(folders) >= 9
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []


def test_every_module_that_the_architecture_names_is_there():
    named = re.findall(
        r"`((?:services|connectors|mappers|tests)/[a-z_/.]+)`", (ROOT / "services/ARCHITECTURE.md").read_text()
    )
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_image_runs_as_nobody_special():
    lines = (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001"]


def test_the_compose_file_starts_the_worker_after_topics_and_tables():
    services = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    assert services["worker"]["depends_on"] == {"init": {"condition": "service_completed_successfully"}}
    assert "topics apply && milepost db upgrade" in services["init"]["entrypoint"][-1]
