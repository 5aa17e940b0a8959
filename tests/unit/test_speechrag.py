"""The training of speech adapters: losses, what gradients reach, going on, and whole from the command to a search."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub.constants
import numpy as np
import pytest
import soundfile
import torch
import yaml
from safetensors.torch import load_file
from typer.testing import CliRunner

from speechsearch.cli import app
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import ConfigurationError, InputError, ModelUnavailableError, NotFoundError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Query
from speechsearch.models.adapter_cards import card_at
from speechsearch.models.adapter_folder import CONFIG, from_pretrained, push_to_hub, read_config
from speechsearch.models.adapter_networks import LinearAdapter, averaged
from speechsearch.models.adapter_sizes import AdapterSizes
from speechsearch.models.catalog import Catalog
from speechsearch.models.load import ModelLoader
from speechsearch.service.adapters import with_adapter
from speechsearch.service.settings import Settings
from speechsearch.training import speechrag_words
from speechsearch.training.kept_arrays import KeptArrays
from speechsearch.training.speechrag_config import SourceGroup, TrainingConfig, read_training, tiny
from speechsearch.training.speechrag_data import examples_of
from speechsearch.training.speechrag_losses import contrastive_loss, cosine_loss, pair_loss
from speechsearch.training.speechrag_model import SpeechRag
from speechsearch.training.speechrag_pairs import KeptPairs
from speechsearch.training.speechrag_words import Spans
from speechsearch.training.train_speechrag import Trainer
from speechsearch.training.training_log import TrainingLog
from tests.tiny import frames, texts
from tests.tiny.local_server import local_server

CONFIGS = Path(__file__).parents[2] / "configs"
SENTENCES = ["the old gate", "a fox ran over the hill", "it rained all day", "why not", "so they left at once", "yes"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of noises, each with its text."""
    folder = tmp_path_factory.mktemp("manifest")
    rng = np.random.default_rng(2)
    rows = []
    for number, text in enumerate(SENTENCES * 2):
        length = int(rng.uniform(1.1, 2.0) * SAMPLE_RATE_HZ)
        file = f"{number}.wav"
        soundfile.write(folder / file, rng.standard_normal(length) / 10, SAMPLE_RATE_HZ)
        rows.append(json.dumps({"audio": file, "text": f"{text} {number}"}))
    (folder / "train.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for family in (frames.HUBERT, frames.WHISPER, texts.MISTRAL):
        family.save(folder / family.name)
    return folder


def loader_of(models: Path) -> ModelLoader:
    cards = [frames.card_of_checkpoint(one.name, models / one.name) for one in (frames.HUBERT, frames.WHISPER)]
    cards.append(texts.card_of_folder(texts.MISTRAL.name, models / texts.MISTRAL.name))
    return ModelLoader(Catalog(cards), models, device="cpu", dtype="float32")


def config_of(data: Path, /, **changed: object) -> TrainingConfig:
    source = {"manifest": str(data / "train.jsonl")}
    told = {
        "name": "test", "speech_encoder": frames.HUBERT.name, "text_encoder": texts.MISTRAL.name,
        "loss": {"cosine": 1.0, "contrast": 0.5},
        "data": {"train": [source], "development": [source]},
        "stages": [{"steps": 3, "warmup": 1}, {"steps": 3, "unfrozen_layers": 1, "warmup": 1}],
        "batch": 4, "evaluate_every": 2, "save_every": 1,
    }  # fmt: skip
    return TrainingConfig.model_validate(told | changed)


def trained(config: TrainingConfig, out: Path, models: Path, stop_at: int | None = None) -> Trainer:
    trainer = Trainer(config, out, loader_of(models), say=lambda _: None)
    trainer.run(stop_at)
    return trainer


def test_losses_in_closed_form() -> None:
    heard = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    said = torch.tensor([[0.6, 0.8], [0.0, 1.0]])
    assert cosine_loss(heard, said) == pytest.approx(0.2)
    rows = -(0.6 - math.log(math.exp(0.6) + math.exp(0.0)) + 1 - math.log(math.exp(0.8) + math.exp(1.0))) / 2
    columns = -(0.6 - math.log(math.exp(0.6) + math.exp(0.8)) + 1 - math.log(math.exp(0.0) + math.exp(1.0))) / 2
    assert contrastive_loss(heard, said, 1.0) == pytest.approx((rows + columns) / 2)
    assert pair_loss(heard, said, 2.0, 0.5, 1.0) == pytest.approx(0.4 + (rows + columns) / 4)
    cut = pair_loss(heard[:1], said[:1], 1.0, 0.0, 1.0, sizes=[1])
    assert cut == pytest.approx((0.4 + 0.0) / 2)  # of one number, both point the same way


def test_the_same_text_twice_in_a_batch_is_no_counter_example() -> None:
    heard = torch.nn.functional.normalize(torch.randn(3, 8, generator=torch.Generator().manual_seed(1)), dim=-1)
    said = heard[[0, 1, 0]]
    alone = contrastive_loss(heard[:2], said[:2], 0.1)
    assert contrastive_loss(heard, said, 0.1) < alone + 5
    assert math.isfinite(float(contrastive_loss(said, said, 0.01))) and float(contrastive_loss(said, said, 0.01)) < 0.01


@pytest.mark.parametrize("lora_rank", [0, 2])
def test_gradients_reach_what_is_trained_and_nothing_else(models: Path, lora_rank: int) -> None:
    loader = loader_of(models)
    encoder, text_encoder = (
        loader.model("frame encoder", frames.HUBERT.name), loader.model("text encoder", texts.MISTRAL.name)
    )  # fmt: skip
    adapter = LinearAdapter(AdapterSizes(), frames.WIDTH, texts.WIDTH)
    model = SpeechRag(encoder, adapter, text_encoder)
    sounds = [np.random.default_rng(n).standard_normal(16_000 + 4_000 * n).astype(np.float32) / 9 for n in (0, 1)]
    before = encoder.below(sounds)
    model.unfreeze(1, lora_rank)
    rows = encoder.below(sounds, 1)
    states, counts = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.tensor([len(row) for row in rows])
    for row, count, whole in zip(encoder.above(states, counts, 1), counts.tolist(), before, strict=True):
        torch.testing.assert_close(row[:count], whole, atol=1e-5, rtol=1e-4)  # LoRA begins as nothing
    model(rows).vectors.sum().backward()
    reached = {name for name, one in encoder.network.named_parameters() if one.grad is not None}
    assert reached and all(name.startswith("encoder.layers.1.") for name in reached)
    assert bool(lora_rank) == all("lora_" in name for name in reached)
    assert all(one.grad is not None for one in adapter.parameters())
    assert all(one.grad is None for one in text_encoder.network.parameters())


def test_weights_of_low_rank_are_added_up_for_the_folder(models: Path) -> None:
    loader = loader_of(models)
    encoder = loader.model("frame encoder", frames.HUBERT.name)
    model = SpeechRag(encoder, LinearAdapter(AdapterSizes(), 16, 32), loader.model("text encoder", texts.MISTRAL.name))
    names = set(torch.nn.ModuleList(encoder.layers[1:]).state_dict())
    model.unfreeze(1, 2)
    for name, one in model.tuned.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(one, std=0.3)
    sound = [np.random.default_rng(3).standard_normal(20_000).astype(np.float32) / 9]
    (rows,) = encoder.below(sound, 1)
    expected = encoder.above(rows[None], torch.tensor([len(rows)]), 1)
    merged = model.tuned_state()
    assert set(merged) == names
    plain = loader_of(models).model("frame encoder", frames.HUBERT.name)
    torch.nn.ModuleList(plain.layers[1:]).load_state_dict(merged)
    torch.testing.assert_close(plain.above(rows[None], torch.tensor([len(rows)]), 1), expected, atol=1e-5, rtol=1e-4)


def test_a_batch_gives_what_single_clips_give(models: Path, data: Path) -> None:
    model = Trainer(config_of(data), data / "unused", loader_of(models), say=lambda _: None).model
    sounds = [np.random.default_rng(n).standard_normal(17_000 + 5_000 * n).astype(np.float32) / 9 for n in range(3)]
    rows = model.encoder.below(sounds)
    with torch.no_grad():
        together, alone = model(rows).vectors, torch.cat([model([row]).vectors for row in rows])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("keeps", [True, False])
def test_a_resumed_training_is_the_uninterrupted_one(data: Path, models: Path, tmp_path: Path, keeps: bool) -> None:
    source = {"manifest": str(data / "train.jsonl")}
    config = config_of(data, accumulation=2, data={"train": [source], "development": [source], "keeps_states": keeps})
    trained(config, tmp_path / "whole", models)
    for stop_at in (2, 3, 5, None):
        trained(config, tmp_path / "parts", models, stop_at)
    whole, parts = (load_file(tmp_path / name / "state.safetensors") for name in ("whole", "parts"))
    assert set(whole) == set(parts)
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, atol=1e-6, rtol=1e-5, msg=name)
    logs = [(tmp_path / name / "log.jsonl").read_text(encoding="utf-8") for name in ("whole", "parts")]
    assert logs[0] == logs[1]
    before = load_file(tmp_path / "whole" / "state.safetensors")
    trained(config, tmp_path / "whole", models)  # a finished one stays as it is
    torch.testing.assert_close(load_file(tmp_path / "whole" / "state.safetensors"), before)


def test_training_lowers_the_loss_and_keeps_the_best_adapter(data: Path, models: Path, tmp_path: Path) -> None:
    stages = [{"steps": 40, "rate": 3e-3, "warmup": 5}]
    config = config_of(data, stages=stages, batch=12, evaluate_every=10, loss={"cosine": 1.0, "contrast": 0.2})
    trainer = trained(config, tmp_path, models)
    losses = trainer.log.values("loss")
    assert losses[-1] < losses[0]
    found = read_config(tmp_path / "adapter" / CONFIG)
    best = max(trainer.log.values("recall@1"))
    assert found.training["development"]["recall@1"] == pytest.approx(best, abs=1e-4)
    assert "speechsearch train adapter" in (tmp_path / "adapter" / "README.md").read_text(encoding="utf-8")


def test_it_ends_when_recall_does_not_rise(data: Path, models: Path, tmp_path: Path) -> None:
    config = config_of(data, stages=[{"steps": 50, "rate": 1e-9}], evaluate_every=1, patience=2)
    trainer = trained(config, tmp_path, models)
    assert trainer.log.lines[-1]["step"] == 2


def test_a_trained_adapter_is_a_speech_encoder(data: Path, models: Path, tmp_path: Path) -> None:
    trainer = trained(config_of(data, speech_encoder=frames.WHISPER.name), tmp_path, models)
    card = card_at(tmp_path / "adapter")
    config = read_config(tmp_path / "adapter" / CONFIG)
    loader = loader_of(models)
    whole = ModelLoader(loader.catalog.add(card), models, device="cpu", dtype="float32")
    encoder = whole.model("speech encoder", card.name)
    sound = Audio(np.random.default_rng(5).standard_normal(24_000).astype(np.float32) / 9)
    vector = encoder.encode_passages([sound])[0].vectors["adapter"]
    if config.training["step"] == 6:  # else the best was an earlier one, and the model has gone on since
        with torch.no_grad():
            expected = trainer.model(trainer.model.encoder.below([sound.samples], trainer.model.top)).vectors[0].numpy()
        np.testing.assert_allclose(vector, expected, atol=1e-4)
    asked = encoder.encode_query(Query("the old gate"), "adapter")
    assert np.linalg.norm(np.asarray(asked)) == pytest.approx(1, abs=1e-4)
    trained_for_other = json.loads((tmp_path / "adapter" / CONFIG).read_text(encoding="utf-8"))
    trained_for_other["text_encoder"]["sha256"] = "0" * 64
    (tmp_path / "adapter" / CONFIG).write_text(json.dumps(trained_for_other), encoding="utf-8")
    changed = ModelLoader(loader.catalog.add(card_at(tmp_path / "adapter")), models, device="cpu")
    with pytest.raises(ModelUnavailableError, match=f"trained for another {texts.MISTRAL.name}"):
        changed.model("speech encoder", card.name)


def test_an_adapter_is_found_by_its_folder_only_where_it_is_one(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="no speech adapter's"):
        from_pretrained(str(tmp_path))


def test_an_adapter_comes_from_the_hub_and_goes_there(
    data: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(config_of(data), tmp_path / "mine", models)
    folder, revision = tmp_path / "mine" / "adapter", "0123456789abcdef0123456789abcdef01234567"
    with local_server() as server:
        for name in (CONFIG, "model.safetensors", "README.md"):
            content = (folder / name).read_bytes()
            about = {"X-Repo-Commit": revision, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
            server.answers[f"/someone/heard/resolve/{revision}/{name}"] = (200, about, content)
        template = server.url("/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        chosen = with_adapter(Settings(data_dir=tmp_path / "data"), f"someone/heard@{revision}")
    card = card_at(Path(chosen.engines.encoder))
    assert chosen.engines.encoder_name == card.name == "heard-0123456789ab"
    assert card.files[0].sha256 == card_at(folder).files[0].sha256
    sent: list[dict[str, Any]] = []

    class Hub:
        def create_repo(self, repository: str, **how: Any) -> None:
            sent.append({"repository": repository, **how})

        def upload_folder(self, **how: Any) -> Any:
            sent.append(how)
            return SimpleNamespace(commit_url="https://hub/commit")

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    assert push_to_hub(folder, "me/mine") == "https://hub/commit"
    assert sent[0]["private"] is True and set(sent[1]["allow_patterns"]) == {CONFIG, "model.safetensors", "README.md"}
    with pytest.raises(ModelUnavailableError, match="no speech adapter's"):
        push_to_hub(tmp_path, "me/mine")


def test_means_of_states() -> None:
    means, counts = averaged(torch.arange(10.0).reshape(1, 10, 1), torch.tensor([6]), 4)
    assert means.flatten().tolist() == [1.5, 4.5, 0.0] and counts.tolist() == [2]


def test_kept_arrays_come_back_and_half_written_ones_do_not(tmp_path: Path) -> None:
    kept = KeptArrays(tmp_path / "states", 3, np.float16)
    kept.add("a", np.ones((2, 3)))
    kept.add("b", np.full((1, 3), 5.0))
    with open(tmp_path / "states.jsonl", "a", encoding="utf-8") as file:
        file.write('["c", 3')
    again = KeptArrays(tmp_path / "states", 3, np.float16)
    assert "b" in again and "c" not in again and again.get("b").tolist() == [[5.0, 5.0, 5.0]]


def test_the_loss_of_words_holds_embeddings_to_what_is_said(
    data: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spans_of(pairs: KeptPairs, *_: object) -> dict[str, Spans]:
        """Say that the words of all but the last sound follow each other evenly."""
        spoken = {one.key: len(one.text.split()) for one in pairs.rows[:-1]}
        return {key: np.linspace(0, 1, words + 1, dtype=np.float32)[[range(words), range(1, words + 1)]].T
                for key, words in spoken.items()}  # fmt: skip

    monkeypatch.setattr(speechrag_words, "aligned", spans_of)
    stages = [{"steps": 60, "rate": 1e-2, "warmup": 5, "unfrozen_layers": 1, "encoder_rate": 1e-3}]
    config = config_of(data, stages=stages, batch=12, evaluate_every=60, loss={"cosine": 0.0, "words": 1.0})
    losses = trained(config, tmp_path, models).log.values("loss")
    assert losses[-1] < 0.99 < losses[0]  # of noises a mean embedding explains nothing, and 1 is left


def test_the_shipped_configurations_can_be_read() -> None:
    files = sorted(CONFIGS.glob("*.yaml"))
    assert len(files) >= 5
    for file in files:
        config = read_training(file)
        assert config.name == file.stem and tiny(config).steps <= 4


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"batch": 1}, "batch"),
        ({"colour": "red"}, "colour"),
        ({"stages": [{"steps": 1, "unfrozen_layers": 2}, {"steps": 1}]}, "fewer unfrozen_layers"),
        ({"adapter": {"kind": "token"}, "loss": {"words": 1.0}}, "an embedding a frame"),
        ({"data": {"train": [{}], "development": [{"manifest": "a"}]}}, "either a manifest or a dataset"),
    ],
)
def test_a_wrong_configuration_is_told(data: Path, tmp_path: Path, changed: dict[str, object], message: str) -> None:
    told = config_of(data).model_dump(mode="json") | changed
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message):
        read_training(tmp_path / "wrong.yaml")


def test_a_manifest_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    with pytest.raises(NotFoundError, match="no manifest"):
        list(examples_of(SourceGroup(manifest=str(path))))
    for line, message in (('{"audio": "a.wav"}', "line 1"), ('{"audio": "../a.wav", "text": "a"}', "lies outside")):
        path.write_text(line, encoding="utf-8")
        with pytest.raises(InputError, match=message):
            list(examples_of(SourceGroup(manifest=str(path))))


def test_a_dataset_with_sound_and_text_is_read_without_its_decoder(data: Path, tmp_path: Path) -> None:
    import datasets

    rows = [{"audio": {"bytes": (data / f"{n}.wav").read_bytes(), "path": None}, "text": f"text {n}"} for n in range(3)]
    datasets.Dataset.from_list(rows).to_parquet(tmp_path / "train.parquet")
    source = SourceGroup(dataset=str(tmp_path))
    found = list(examples_of(source))
    assert [one.text for one in found] == ["text 0", "text 1", "text 2"]
    assert found[1].load().duration_s == pytest.approx(soundfile.info(data / "1.wav").duration, abs=0.01)
    with pytest.raises(InputError, match="no column 'words'"):
        list(examples_of(source.model_copy(update={"text_column": "words"})))
    with pytest.raises((NotFoundError, InputError), match="elsewhere"):
        list(examples_of(SourceGroup(dataset=str(tmp_path / "elsewhere"))))


def test_a_log_goes_on_from_a_step(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path / "log.jsonl")
    for step, recall in ((1, 0.5), (2, 0.7), (3, 0.6)):
        log.add({"step": step, "recall": recall})
    assert (log.best("recall"), log.without_better("recall"), log.last("recall")) == (0.7, 1, 0.6)
    log.cut(2)
    assert TrainingLog(tmp_path / "log.jsonl").values("recall") == [0.5, 0.7]


def test_the_command_trains_and_the_adapter_searches(
    data: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEECHSEARCH_MODELS__FOLDER", str(models))
    monkeypatch.setenv("SPEECHSEARCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SPEECHSEARCH_ENGINES__RECOGNIZER", "none")
    monkeypatch.setenv("SPEECHSEARCH_ENGINES__SPEAKER_ENCODER", "none")
    told = config_of(data, tracker="tensorboard").model_dump(mode="json")
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
    run = CliRunner()
    made = run.invoke(
        app, ["train", "adapter", "--config", str(tmp_path / "test.yaml"), "--out", str(tmp_path / "mine"), "--tiny"]
    )
    assert made.exit_code == 0, made.output
    assert list((tmp_path / "mine").rglob("events.out.tfevents*"))
    adapter = str(tmp_path / "mine" / "adapter")
    spoken = [str(SAMPLES / "audio" / name) for name in ("s015.opus", "s001.opus")]
    took = run.invoke(app, ["ingest", "--adapter", adapter, *spoken])
    assert took.exit_code == 0, took.output
    found = run.invoke(app, ["search", "--adapter", adapter, "the old gate", "--json"])
    assert found.exit_code == 0, found.output
    assert json.loads(found.output)["hits"]
    monkeypatch.setenv("SPEECHSEARCH_ENGINES__ENCODER", adapter)
    again = run.invoke(app, ["search", "the old gate", "--json"])
    assert json.loads(again.output)["hits"] == json.loads(found.output)["hits"]
