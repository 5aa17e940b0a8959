"""The folders in which generative models lie: whose they are, what is refused, what is kept of training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.generative_cards import (
    ADDRESSES,
    COLLECTION,
    MANIFEST,
    WEIGHTS,
    card_of_folder,
    folder_of,
    keep_states,
    learnt_of,
    new_folder,
    remove_model,
    rename_model,
)


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = new_folder(tmp_path, "@ann/My talks!")
        (folder / ADDRESSES).write_text('{"a": [1, 0]}')
        manifest = {
            "sha256": {WEIGHTS: "0" * 64, ADDRESSES: "1" * 64},
            "passages": 1,
            "config": {"code_sizes": [4, 4]},
            "speech_encoder": {"name": "mini", "fingerprint": "mini-1"},
        }
        (folder / MANIFEST).write_text(json.dumps(manifest))
        return folder

    def test_its_card_says_whose_it_is_and_what_its_files_must_hash_to(self, folder: Path) -> None:
        card = card_of_folder(folder)
        assert card.name.startswith("generative-my-talks-") and "1 passages of 'My talks!'" in card.summary
        assert [file.sha256 for file in card.files[:2]] == ["0" * 64, "1" * 64]
        assert learnt_of(folder).addresses == {"a": (1, 0)}

    def test_it_follows_its_collection(self, folder: Path, tmp_path: Path) -> None:
        rename_model(tmp_path, "@ann/My talks!", "others")
        assert folder_of(tmp_path, "others") == folder and folder_of(tmp_path, "@ann/My talks!") is None
        remove_model(tmp_path, "nothing")
        remove_model(tmp_path, "others")
        assert not folder.exists()

    @pytest.mark.parametrize("broken", ["{", "[]", '{"a": [1]}', '{"a": 3}'])
    def test_broken_addresses_are_refused(self, folder: Path, broken: str) -> None:
        (folder / ADDRESSES).write_text(broken)
        with pytest.raises(ModelUnavailableError, match="is no generative model"):
            learnt_of(folder)

    def test_a_broken_manifest_is_refused(self, folder: Path) -> None:
        (folder / MANIFEST).write_text("{}")
        with pytest.raises(ModelUnavailableError, match="is no generative model"):
            card_of_folder(folder)
        assert (folder / COLLECTION).read_text() == "@ann/My talks!"


class TestKeptStates:
    FILE = Path("training") / "pieces-mini-1" / "0000.safetensors"

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / self.FILE).parent.mkdir(parents=True)
        states = {name: np.full((2, 3), number, np.float16) for number, name in enumerate(("a", "a:0", "ab", "ab:0"))}
        save_file(states, tmp_path / self.FILE)
        run = tmp_path / "training" / "run-1"
        run.mkdir()
        (run / "state.safetensors").write_bytes(b"weights")
        return tmp_path

    def test_what_is_not_wanted_is_gone_with_its_crops(self, folder: Path) -> None:
        keep_states(folder, lambda passage_id: passage_id != "a")
        left = load_file(folder / self.FILE)
        assert {name: float(states[0, 0]) for name, states in left.items()} == {"ab": 2.0, "ab:0": 3.0}
        assert [one.name for one in (folder / self.FILE).parent.iterdir()] == ["0000.safetensors"]

    def test_a_file_of_nothing_that_is_wanted_is_removed_and_weights_stay(self, folder: Path) -> None:
        keep_states(folder, lambda passage_id: False)
        assert not (folder / self.FILE).exists()
        assert (folder / "training" / "run-1" / "state.safetensors").read_bytes() == b"weights"

    def test_a_file_that_cannot_be_read_is_removed(self, folder: Path) -> None:
        (folder / self.FILE).write_bytes(b"broken")
        keep_states(folder, lambda passage_id: True)
        assert not (folder / self.FILE).exists()

    def test_where_all_is_wanted_nothing_is_written(self, folder: Path) -> None:
        before = (folder / self.FILE).stat()
        keep_states(folder, lambda passage_id: True)
        after = (folder / self.FILE).stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    def test_without_a_training_there_is_nothing_to_do(self, tmp_path: Path) -> None:
        keep_states(tmp_path, lambda passage_id: False)
