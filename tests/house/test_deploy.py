"""What stands in deploy/ fits the program: files that are named exist, commands are known, configurations are whole."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from services.cli.app import app
from services.settings import check, load

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "helm"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
TEMPLATES = sorted((CHART / "templates").iterdir())
COMMANDS = set(get_command(app).commands)
ALL_ON = {
    "worker.replicas": 2, "gate.replicas": 2, "collect.replicas": 2, "console.replicas": 1, "service.enabled": "true",
    "config.console.host": "0.0.0.0", "config.console.port": 8091,
    "config.console.logins.jane.token_file": "/run/secrets/console-jane", "config.console.logins.jane.may[0]": "look",
    "podMonitor.enabled": "true", "worker.env.MILEPOST__KAFKA__USERNAME": "milepost-worker",
    "volumes[0].name": "archive", "volumes[0].emptyDir.sizeLimit": "1Gi",
    "volumeMounts[0].name": "archive", "volumeMounts[0].mountPath": "/archive",
}  # fmt: skip


@pytest.mark.parametrize("name", ["milepost.example.yaml", "compose.milepost.yaml"])
def test_the_configurations_are_whole_and_hold_no_secret(name):
    assert load(DEPLOY / name, {}).sources


# The image and the compose file


def test_the_image_is_made_of_what_there_is_and_starts_a_command_that_there_is():
    text = (DEPLOY / "Dockerfile").read_text()
    for words in re.findall(r"^COPY (?!--)(.+) \S+$", text, re.MULTILINE):
        assert all((DEPLOY.parent / word).exists() for word in words.split()), words
    assert set(re.findall(r'CMD \["(\w+)"\]', text)) <= COMMANDS
    assert re.search(r"^USER \d+$", text, re.MULTILINE)


def test_the_compose_file_names_what_there_is():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = compose["services"]
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()
        assert set(service.get("command", ())) <= COMMANDS
        for mount in service.get("volumes", ()):
            source = mount.partition(":")[0]
            assert source in compose["volumes"] or (DEPLOY / source).exists(), source
    environment = services["worker"]["environment"]
    assert load(DEPLOY / "compose.milepost.yaml", environment).kafka.replication == 1


# The chart


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_asks_for_values_that_there_are(path):
    for name in re.findall(r"\.Values\.([\w.]+)", path.read_text()):
        at = VALUES
        for step in name.split("."):
            assert step in at, name
            at = at[step]


def test_the_charts_configuration_is_whole_and_its_processes_are_commands():
    config = check(VALUES["config"])
    assert config.http.host == "0.0.0.0"
    commands = re.search(r"dict ((?:\"\w+\" ?)+)\}\}", (CHART / "templates/processes.yaml").read_text()).group(1)
    words = re.findall(r'"(\w+)"', commands)
    assert set(words[1::2]) <= COMMANDS
    assert set(words[::2]) <= VALUES.keys()


def renders(values):
    sets = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    told = subprocess.run(["helm", "template", "m", str(CHART), *sets], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    made = [part for part in yaml.safe_load_all(told.stdout) if part]
    kinds = [part["kind"] for part in made]
    assert kinds.count("Deployment") == (4 if values else 1)
    for part in made:
        assert part["apiVersion"]
        assert part["metadata"]["name"].startswith("m")
        if part["kind"] in ("Deployment", "Job"):
            sane(part["spec"]["template"]["spec"])
    [config] = [part for part in made if part["kind"] == "ConfigMap"]
    assert check(yaml.safe_load(config["data"]["milepost.yaml"])).sources


if shutil.which("helm"):  # elsewhere nothing is left out: the chart is the same

    @pytest.mark.parametrize("values", [{}, ALL_ON], ids=["as it is", "with everything"])
    def test_the_chart_renders_to_what_kubernetes_takes(values):
        renders(values)


def sane(pod):
    assert pod["securityContext"]["runAsNonRoot"]
    [container] = pod["containers"]
    assert set(container.get("args", ())) <= COMMANDS
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert all(set(entry) == {"name", "value"} for entry in container["env"])
