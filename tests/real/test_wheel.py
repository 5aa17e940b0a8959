"""The wheel holds all that the program needs: built, installed into a folder of its own, used from another one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_installed_package_needs_no_checkout(settings, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", str(tmp_path / "out"), str(ROOT)], check=True)
    (wheel,) = (tmp_path / "out").glob("*.whl")
    site = tmp_path / "site"
    subprocess.run([*pip, "install", "-q", "--no-deps", "--target", str(site), str(wheel)], check=True)
    environment = {**os.environ, "PYTHONPATH": str(site), "SPEECHSEARCH_DATA_DIR": str(settings.data_dir)}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def asked(*command: str) -> str:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=elsewhere)
        return done.stdout

    where = asked(sys.executable, "-c", "import speechsearch; print(speechsearch.__file__)")
    assert where.startswith(str(site))
    assert "Three hearts and eight clever arms" in asked(
        sys.executable, "-m", "speechsearch", "search", "Why is octopus blood blue?"
    )
    page = "from speechsearch.ui import page, about_tab; print(len(about_tab.card()), page.STATIC.is_dir())"
    assert asked(sys.executable, "-c", page).split()[1] == "True"
    samples = "from speechsearch.domain.assets import SAMPLES; print(len(list((SAMPLES / 'audio').glob('*.opus'))))"
    assert asked(sys.executable, "-c", samples).strip() == "67"
