"""The folder of a Hugging Face Space: what is sent, and what would keep it from starting is said before."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError
from typer.testing import CliRunner

from speechsearch.cli import app
from speechsearch.domain.errors import InputError, NotAllowedError
from speechsearch.service import space

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["cpu", "zero"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, space.Hardware]:
    folder = tmp_path_factory.mktemp("built") / "space"
    space.build(ROOT, folder, request.param)
    return folder, request.param


def test_this_checkout_makes_a_space(built: tuple[Path, space.Hardware]) -> None:
    folder, hardware = built
    assert space.problems(folder, hardware) == []
    paths = {one.path: one for one in space.sent_files(folder)}
    assert {"app.py", "README.md", "requirements.txt", "packages.txt", "ingest/pipeline.py"} <= paths.keys()
    assert not [path for path in paths if path.startswith(("tests", "docs", ".", "data")) or "__pycache__" in path]
    assert not paths["speechsearch/assets/mini/model.safetensors"].is_plain
    assert not paths["speechsearch/assets/samples/audio/s001.opus"].is_plain, "git push refuses any binary file"
    assert paths["app.py"].is_plain and sum(one.size_bytes for one in paths.values()) < 100e6


def test_what_is_sent_can_be_imported(built: tuple[Path, space.Hardware]) -> None:
    folder, hardware = built
    if hardware == "zero":
        return  # the same files
    code = "import app, speechsearch.cli, ingest; from speechsearch.ui import page; print(speechsearch.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0 and done.stdout.strip() == str(folder / "speechsearch" / "__init__.py"), done.stderr


def test_zero_gpu_has_its_own_python_and_torch(tmp_path: Path) -> None:
    space.build(ROOT, tmp_path / "space", "zero")
    lines = (tmp_path / "space" / "requirements.txt").read_text().splitlines()
    assert "torch>=2.8,<=2.11.0" in lines and "spaces" in lines and not [one for one in lines if "torchcodec" in one]
    readme = (tmp_path / "space" / "README.md").read_text()
    assert 'python_version: "3.12"\n' in readme and "suggested_hardware: zero-a10g\n" in readme
    assert readme.partition("\n---\n")[2] == (ROOT / "README.md").read_text().partition("\n---\n")[2]


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("README.md", "sdk_version: 6", "sdk_version: 5", "sdk_version"),
        ("README.md", "sdk: gradio", "sdk: docker", "not gradio"),
        ("README.md", 'python_version: "3.11"', 'python_version: "3.10"', "the program needs >=3.11"),
        ("README.md", 'python_version: "3.11"', "python_version: 3.11", "put it into quotes"),
        ("README.md", "colorFrom: green", "colorFrom: mauve", "mauve"),
        ("README.md", "short_description: ", "short_description: " + "x" * 60, "characters, more than 60"),
        ("README.md", "app_file: app.py", "app_file: main.py", "main.py, is not there"),
        ("README.md", "license: apache-2.0\n", "", "lacks license"),
        ("README.md", "---\ntitle", "title", "no front matter"),
        ("README.md", "title: speechsearch", "title: [", "is no YAML"),
        ("README.md", "suggested_hardware: cpu-basic", "suggested_hardware: t4-small", "not cpu-basic"),
        ("requirements.txt", "typer==", "--index-url https://example.org\ntyper==", "is no package"),
        ("requirements.txt", "typer==0", "typer @ https://example.org/typer.whl\nx==0", "comes from an address"),
    ],
)
def test_what_would_not_start_is_said(tmp_path: Path, file: str, old: str, new: str, said: str) -> None:
    folder = tmp_path / "space"
    folder.mkdir()
    for name in space.FILES:
        shutil.copyfile(ROOT / name, folder / name)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    found = space.problems(folder, "cpu")
    assert any(said in one for one in found), found


def test_zero_gpu_refuses_a_newer_torch_another_python_and_links(tmp_path: Path) -> None:
    folder = tmp_path / "space"
    folder.mkdir()
    for name in space.FILES:
        shutil.copyfile(ROOT / name, folder / name)
    (folder / "link").symlink_to("/etc/passwd")
    said = " ".join(space.problems(folder, "zero"))
    assert all(word in said for word in ("ZeroGPU has 3.12", "ZeroGPU has torch", "lacks spaces", "link is a link"))


def test_only_a_checkout_can_be_published(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no app\.py"):
        space.build(tmp_path, tmp_path / "space", "cpu")
    for name in ("talks", "ann/..", "ann/ta lks", "-/x", "a/b/c", ""):
        with pytest.raises(InputError, match="no name of a Space"):
            space.checked_name(name)


class Hub:
    """Stands for the hub and remembers what it was asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.asked = error, []

    def create_repo(self, repository, **options):
        self.asked.append(("create", repository, options))
        return f"https://huggingface.co/spaces/{repository}"

    def upload_folder(self, **options):
        self.asked.append(("upload", options["repo_id"], options))
        if self.error:
            raise self.error


def test_the_folder_is_sent_by_upload_folder(tmp_path: Path) -> None:
    hub = Hub()
    address = space.upload(tmp_path, "ann/talks", "zero", True, hub)
    (create, upload) = hub.asked
    assert address == "https://huggingface.co/spaces/ann/talks"
    assert create[2]["space_hardware"] == "zero-a10g" and create[2]["exist_ok"] and create[2]["private"]
    assert upload[2]["repo_type"] == "space" and upload[2]["folder_path"] == tmp_path


def refusal(status: int) -> HfHubHTTPError:
    response = httpx.Response(status, request=httpx.Request("POST", "https://huggingface.co"))
    return HfHubHTTPError("Payment required", response=response)


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (refusal(402), NotAllowedError, "402"),
        (refusal(413), InputError, "413"),
        (LocalTokenNotFoundError("none"), NotAllowedError, "Nobody is logged in"),
        (httpx.ConnectError("no route"), InputError, "cannot be reached"),
    ],
)
def test_what_the_hub_refuses_is_said(tmp_path: Path, error: Exception, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        space.upload(tmp_path, "ann/talks", "cpu", False, Hub(error))


def test_a_dry_run_lists_what_would_be_sent_without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-m", "speechsearch", "publish-space", "ann/talks", "--dry-run"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Xet  speechsearch/assets/mini/model.safetensors" in done.stdout
    assert "Nothing was sent: a dry run." in done.stdout.splitlines()[-1]
    monkeypatch.chdir(ROOT)
    as_json = CliRunner().invoke(app, [*command[3:], "--json", "--hardware", "zero"])
    assert json.loads(as_json.stdout)["address"] == ""
