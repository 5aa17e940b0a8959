"""The Kubernetes example: it parses, its parts name each other rightly, and its variables are settings."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from speechsearch.api.doors import door_of, doors
from speechsearch.service.settings import PREFIX, Settings, known_variables

ROOT = Path(__file__).parents[2]
K8S = ROOT / "k8s"
FILES = sorted(K8S.rglob("*.yaml"))
PARTS = [part for path in FILES for part in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
VARIABLE = re.compile(rf"\b{PREFIX}[A-Z][A-Z0-9_]*[A-Z0-9]")
NOT_SETTINGS = {"FORWARDED_ALLOW_IPS"}
"""Which the server itself reads."""


def one(kind: str, name: str = "speechsearch") -> Any:
    (found,) = [part for part in PARTS if part["kind"] == kind and part["metadata"].get("name") == name]
    return found


def containers() -> list[Any]:
    specs = [one("Deployment")["spec"], one("StatefulSet", "qdrant")["spec"]]
    cluster = one("RayCluster")["spec"]
    specs += [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [container for spec in specs for container in spec["template"]["spec"]["containers"]]


@pytest.mark.parametrize(
    "path",
    [*FILES, K8S / "README.md", K8S / "ray" / "Dockerfile", *(ROOT / n for n in ("docker-compose.yml", "Dockerfile"))],
    ids=lambda path: path.name,
)
def test_every_variable_is_a_setting(path: Path) -> None:
    assert set(VARIABLE.findall(path.read_text(encoding="utf-8"))) <= known_variables()


def test_the_settings_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = one("ConfigMap")["data"]
    assert {name for name in data if not name.startswith(PREFIX)} == NOT_SETTINGS
    for name, value in data.items():
        assert isinstance(value, str), f"{name}: a ConfigMap holds text"
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    assert settings.server.host == "0.0.0.0" and settings.log.format == "json"
    assert "speech.example.org" in settings.server.hosts


def test_no_secret_is_in_a_file() -> None:
    for name in ("STORE__URL", "INDEX__API_KEY", "AUTH__USERS"):
        assert f"{PREFIX}{name}" not in one("ConfigMap")["data"]
        assert f"{PREFIX}{name}=" in (K8S / "README.md").read_text(encoding="utf-8")


def test_containers_have_no_privileges_and_say_what_they_need() -> None:
    for kind, name in (("Deployment", "speechsearch"), ("StatefulSet", "qdrant")):
        pod = one(kind, name)["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
        (container,) = pod["containers"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert not container["securityContext"]["allowPrivilegeEscalation"]
    for container in containers():
        assert set(container["resources"]) == {"requests", "limits"}
        assert not container["image"].endswith(":latest") and ":" in container["image"]


def test_the_user_is_that_of_the_image() -> None:
    (uid,) = re.findall(r"useradd --uid (\d+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    cluster = one("RayCluster")["spec"]
    for spec in (one("Deployment")["spec"], cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert spec["template"]["spec"]["securityContext"]["runAsUser"] == int(uid)


def test_names_lead_to_what_is_there() -> None:
    page, vectors = one("Deployment"), one("StatefulSet", "qdrant")
    assert page["spec"]["strategy"]["type"] == "Recreate" and page["spec"]["replicas"] == 1
    for part in (page, vectors):
        template = part["spec"]["template"]
        assert part["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
        mounted = {mount["name"] for mount in template["spec"]["containers"][0]["volumeMounts"]}
        claims = {claim["metadata"]["name"] for claim in part["spec"].get("volumeClaimTemplates", ())}
        assert mounted == {volume["name"] for volume in template["spec"]["volumes"]} | claims
    assert one("Service")["spec"]["selector"] == page["spec"]["selector"]["matchLabels"]
    assert one("ConfigMap")["data"]["SPEECHSEARCH_INDEX__URL"] == "http://qdrant:6333"
    assert one("Service", "qdrant")["spec"]["ports"][0]["port"] == 6333
    allowed = one("NetworkPolicy", "qdrant")["spec"]["ingress"][0]["from"]
    ray = one("RayCluster")["spec"]["headGroupSpec"]["template"]["metadata"]["labels"]
    assert [each["podSelector"]["matchLabels"] for each in allowed] == [page["metadata"]["labels"], ray]
    image = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]["qdrant"]["image"]
    assert vectors["spec"]["template"]["spec"]["containers"][0]["image"] == image


def test_probes_and_the_ingress_ask_for_doors_that_there_are() -> None:
    (container,) = one("Deployment")["spec"]["template"]["spec"]["containers"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert door_of("GET", asked["path"], doors(1)) is not None
        assert asked["port"] == container["ports"][0]["name"]
    (backend,) = [path["backend"]["service"] for path in one("Ingress")["spec"]["rules"][0]["http"]["paths"]]
    assert backend["name"] == one("Service")["metadata"]["name"]


def test_the_job_is_a_command_that_there_is() -> None:
    (job,) = [part for part in PARTS if part["kind"] == "RayJob"]
    assert job["spec"]["clusterSelector"]["ray.io/cluster"] == one("RayCluster")["metadata"]["name"]
    words = job["spec"]["entrypoint"].split()
    assert words[:4] == ["python", "-m", "speechsearch", "ingest"]
    from typer.testing import CliRunner

    from speechsearch.cli import app

    shown = CliRunner(env={"COLUMNS": "300", "TERM": "dumb"}).invoke(app, ["ingest", "--help"]).output
    assert all(word in shown for word in words if word.startswith("--"))


def test_ray_is_the_version_that_is_pinned() -> None:
    pinned = (ROOT / "requirements-cluster.txt").read_text(encoding="utf-8")
    (version,) = re.findall(r"^ray(?:\[\w+\])?==(\S+)$", pinned, re.MULTILINE)
    assert one("RayCluster")["spec"]["rayVersion"] == version


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
@pytest.mark.parametrize("folder", ["k8s", "k8s/ray"])
def test_kustomize_builds_it(folder: str) -> None:
    built = subprocess.run(["kubectl", "kustomize", folder], cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(part["metadata"]["namespace"] == "speechsearch" for part in yaml.safe_load_all(built.stdout))
