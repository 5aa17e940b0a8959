"""Measure a speech language model beside the cascade.

``python -m benchmarks.understand DATA SPOKEN FOLDER MODELS NAME``

DATA: the data for training and tests; human readers of it that were held out are written down. SPOKEN, FOLDER: as
``benchmarks.answers`` takes them; literal answers are asked for in the 15 s around them. MODELS, NAME: the folder of
models, and the one that ``train_understand`` made. Writes the tables of docs/speech-language-model.md.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import typer

from benchmarks.answer_scores import Scores, likeliest
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.evaluation.machine import describe_machine
from speechsearch.evaluation.metrics import word_error_rate
from speechsearch.models.base import Message
from speechsearch.models.causal_lm import TransformersLanguageModel
from speechsearch.models.load import ModelLoader
from speechsearch.models.speech_language_cards import ABOUT_IT, WRITE_DOWN
from speechsearch.service.open import Service, known_catalog
from speechsearch.service.settings import ModelSettings, Settings
from speechsearch.training.answer_sets import SpokenSet
from speechsearch.training.spoken_questions import AUDIO, SpokenQuestion, read_questions
from speechsearch.training.understand_data import plain, read_as_heard, read_sound, utterances

DOCUMENT = Path(__file__).parents[1] / "docs" / "speech-language-model.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
AROUND_S = 15.0
MOST_ANSWER_TOKENS = 24
TOKENS_A_VECTOR = 1.5


def cut_around(sound: Audio, start_s: float, end_s: float) -> Audio:
    """Return AROUND_S of a sound with a stretch in their middle.

    >>> sound = Audio(np.arange(40 * SAMPLE_RATE_HZ, dtype=np.float32))
    >>> cut = cut_around(sound, 19.0, 21.0)
    >>> float(cut.samples[0]) / SAMPLE_RATE_HZ, cut.duration_s
    (12.5, 15.0)
    """
    first = max(0, round(((start_s + end_s) / 2 - AROUND_S / 2) * SAMPLE_RATE_HZ))
    return Audio(sound.samples[first : first + round(AROUND_S * SAMPLE_RATE_HZ)])


def written_down(loader: ModelLoader, name: str, data: Path, most: int) -> list[str]:
    """Return the lines of the table of word error rates on human readers that were held out."""
    model = loader.model("speech language model", name)
    text_encoder = model.encoder.model.text_encoder

    def heard(sound: Audio, text: str) -> str:
        vectors, _ = model.features_shape(sound)
        return str(model.understand([sound], WRITE_DOWN, round(vectors * TOKENS_A_VECTOR) + 4)[0])

    def read(sound: Audio, text: str) -> str:
        vectors = read_as_heard(text_encoder, text)
        return str(model.answer(vectors, WRITE_DOWN, round(len(vectors) * TOKENS_A_VECTOR) + 4))

    def recognised(recognizer: str) -> Callable[[Audio, str], str]:
        return lambda sound, text: loader.recognizer(recognizer).transcribe([sound], "en")[0].text

    ways = {
        name: heard,
        f"{name}, given the text in place of the sound": read,
        "mini": recognised("mini"),
        "whisper-base": recognised("whisper-base"),
    }
    gold = defaultdict[str, list[str]](list)
    said = defaultdict[tuple[str, str], list[str]](list)
    for part, file, text in utterances(data, "evaluation", most):
        sound = read_sound(file)
        gold[part].append(plain(text))
        for way, write in ways.items():
            said[way, part].append(plain(write(sound, text)))
    lines = ["| word error rate | " + " | ".join(gold) + " |", "|---" * (len(gold) + 1) + "|"]
    for way in ways:
        rates = [word_error_rate(gold[part], said[way, part]) or 0.0 for part in gold]
        lines.append(f"| {way} | " + " | ".join(f"{rate:.3f}" for rate in rates) + " |")
    return lines


def answered(
    loader: ModelLoader,
    name: str,
    sounds: Path,
    asked: Sequence[SpokenQuestion],
    spoken: SpokenSet,
) -> list[str]:
    """Return the lines of the table of answers to questions whose answer is said word by word."""
    model, reader = loader.model("speech language model", name), loader.reader("mini-reader")
    writer = TransformersLanguageModel("the same language model", model.opened)
    ways = {f"{name}, from the sound": Scores(), "whisper-base, then the same language model": Scores(),
            "whisper-base, then mini-reader": Scores()}  # fmt: skip
    for one in asked:
        (times_s, *_) = spoken.times_s(one)
        sound = cut_around(read_sound(sounds / f"{one.recording}.flac"), *times_s)
        instruction = ABOUT_IT.format(one.question)
        said = loader.recognizer("whisper-base").transcribe([sound], "en")[0].text
        message = Message("user", f"{instruction}\n{said}")
        answers = (
            model.understand([sound], instruction, MOST_ANSWER_TOKENS)[0],
            "".join(writer.generate([message], MOST_ANSWER_TOKENS)),
            likeliest(reader, one.question, [said]),
        )
        for scores, answer in zip(ways.values(), answers, strict=True):
            scores.add(answer, one.answer)
    return ["| answers | n | EM | F1 |", "|---|---|---|---|", *(scores.row(way) for way, scores in ways.items())]


def main(
    data: Path,
    spoken: Path,
    folder: Path,
    models: Path,
    name: str,
    count: int = 20,
) -> None:
    """Measure and write the tables; ``count``: utterances of each set, and questions."""
    started = time.perf_counter()
    settings = Settings(data_dir=folder, models=ModelSettings(folder=str(models)))
    loader = ModelLoader(known_catalog(settings).catalog, models, device="cpu")
    tables = [written_down(loader, name, data, count)]
    with Service.open(settings, loader=loader) as service:
        known = SpokenSet(service, "spoken")
        literal = [one for one in read_questions(spoken) if not one.is_sentence and one.recording in known.ids]
        literal = [one for one in literal if known.times_s(one)]
        asked = random.Random(1).sample(literal, min(count, len(literal)))
        tables.append(answered(loader, name, spoken / AUDIO, asked, known))
    head = (
        f"{date.today()}, `python -m benchmarks.understand DATA SPOKEN FOLDER MODELS {name} --count {count}`, "
        f"{describe_machine()}; {loader.catalog.get('speech language model', name).fingerprint}; "
        f"n = {count} utterances a set; {time.perf_counter() - started:.0f} s."
    )
    written = "\n\n".join([head, *("\n".join(lines) for lines in tables)])
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{written}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    print(written)


if __name__ == "__main__":
    typer.run(main)
