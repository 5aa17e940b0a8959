"""docs/security.md says for every route, method and role what the application answers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from benchmarks.access_table import BEGIN, DOCUMENT, END, ROLES, table
from tests.conftest import copy_data


@pytest.mark.filterwarnings("ignore")  # of streams that are cut off
def test_every_cell_of_the_table_is_what_the_application_does(library_folder: Path, loader) -> None:
    written = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()
    found = table(partial(copy_data, library_folder), loader)
    assert found.splitlines()[0] == f"| method | route | {' | '.join(ROLES)} |"
    assert len(found.splitlines()) > 60
    assert written.splitlines() == found.splitlines(), "write it anew: python -m benchmarks.access_table"
