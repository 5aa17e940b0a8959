"""Docker files and the Space's front matter, read as their programs read them."""

from __future__ import annotations

import re
from importlib.metadata import requires, version
from pathlib import Path

import pytest
import yaml

from speechsearch.service.settings import known_variables

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
FRONT = yaml.safe_load((ROOT / "README.md").read_text(encoding="utf-8").split("---\n")[1])
PINNED = (ROOT / "requirements.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["app", "qdrant", "postgres"])
def test_each_container_is_watched_kept_and_without_privileges(name: str) -> None:
    container = SERVICES[name]
    assert container["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["restart"] == "unless-stopped"
    (volume,) = container["volumes"]
    assert volume.split(":")[0] in COMPOSE["volumes"]


def test_only_the_page_is_published_and_only_to_this_machine() -> None:
    assert {name for name, one in SERVICES.items() if "ports" in one} == {"app"}
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["app"]["ports"])


def test_no_container_is_root() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (\w+)$", dockerfile, re.MULTILINE) == ["speechsearch"]
    assert dockerfile.rindex("USER speechsearch") < dockerfile.index('CMD ["python", "app.py"]')
    assert "HEALTHCHECK" in dockerfile
    assert SERVICES["qdrant"]["image"].endswith("-unprivileged")
    assert SERVICES["postgres"]["user"] == "postgres"


def test_the_app_waits_for_healthy_servers_and_knows_its_settings() -> None:
    app = SERVICES["app"]
    assert app["depends_on"] == {name: {"condition": "service_healthy"} for name in ("qdrant", "postgres")}
    ours = {name for name in app["environment"] if name.startswith("SPEECHSEARCH_")}
    assert ours <= known_variables()
    assert "?set POSTGRES_PASSWORD" in app["environment"]["SPEECHSEARCH_STORE__URL"]


def test_the_docker_image_holds_what_the_program_needs() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    assert {"app.py", "speechsearch", "ingest", "requirements.txt", "requirements-weights.txt"} <= names
    assert all((ROOT / name).exists() for name in names)


def test_env_example_has_known_names() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^#?(SPEECHSEARCH_\w+)=", text, re.MULTILINE)) <= known_variables()


def test_the_spaces_front_matter() -> None:
    assert (FRONT["sdk"], FRONT["app_file"], FRONT["python_version"]) == ("gradio", "app.py", "3.11")
    assert FRONT["sdk_version"] == version("gradio") == re.search(r"^gradio==(\S+)$", PINNED, re.MULTILINE)[1]
    assert len(FRONT["short_description"]) <= 60
    assert FRONT["license"] == "apache-2.0"
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {FRONT["colorFrom"], FRONT["colorTo"]} <= colours
    assert {"title", "emoji", "tags", "models", "suggested_hardware"} <= set(FRONT)
    packages = (ROOT / "packages.txt").read_text(encoding="utf-8").split()
    assert packages == ["ffmpeg"]


def test_mcp_is_installed_alone() -> None:
    assert re.search(r"^mcp>=1\.21,<2$", PINNED, re.MULTILINE)
    assert "gradio[mcp]" not in PINNED
    assert any(one.startswith("mcp") for one in requires("gradio") or ())
