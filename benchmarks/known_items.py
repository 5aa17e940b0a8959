"""Known-item sets of reserved human speech: who knows a passage looks for it by what is said or meant in it.

A query's id begins with its kind. ``said``: a whole utterance; ``phrase``: eight words in a row; ``rare``: the three
rarest words; ``paraphrase``: the meaning in other words, by hand, in ``paraphrases.tsv`` (ours, CC0 1.0). A passage is
relevant to each query whose words it has, so the same prompt read by two speakers makes two right passages.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.set_folder import Asker, Question, SetFolder, rotation
from speechsearch.text.spoken import spoken_words
from speechsearch.training.speech_corpus import human_parts
from speechsearch.training.voices import SAMPLE_RATE_HZ

PARAPHRASES = Path(__file__).with_name("paraphrases.tsv")
PAUSE_S = 0.25
SAID_WORDS = 12
"""Of a passage's utterances the one with about so many words is asked for."""
SPOKEN_QUERIES = 120


@dataclass(frozen=True, slots=True)
class HumanSet:
    """Parts of the human speech and how long the passages are that their clips are joined to."""

    parts: tuple[str, ...]
    shortest_s: float
    longest_s: float
    note: str = ""


HUMAN_SETS = {
    "ljspeech": HumanSet(("ljspeech_385",), 20.0, 30.0),
    "librispeech": HumanSet(("librispeech",), 20.0, 30.0),
    "kathleen": HumanSet(("kathleen_arctic",), 8.0, 15.0, "isolated sentences"),
    "nonnative": HumanSet(
        ("speechocean-adults", "speechocean-children"), 8.0, 15.0,
        "isolated prompts, each passage by one speaker; the text is the prompt, which some misread",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class HumanPassage:
    """A passage's id and its utterances' texts."""

    passage_id: str
    texts: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        """All its words, as they are said."""
        return spoken_words(" ".join(self.texts))


def join(durations_s: Sequence[float], groups: Sequence[str], shortest_s: float, longest_s: float) -> list[range]:
    """Return which consecutive clips make a passage: of one group, closed once it is long enough.

    >>> join([9, 9, 9, 9, 9, 5], ["a", "a", "a", "a", "b", "b"], 20, 30)
    [range(0, 3), range(4, 6)]
    """
    passages: list[range] = []
    start = 0
    for i, group in enumerate(groups):
        total_s = sum(durations_s[start : i + 1])
        is_last = i + 1 == len(groups) or groups[i + 1] != group
        if total_s >= shortest_s or is_last or total_s + durations_s[i + 1] > longest_s:
            if total_s >= shortest_s / 2:  # a chapter's short rest makes no passage
                passages.append(range(start, i + 1))
            start = i + 1
    return passages


def document_frequency(data: Path) -> Counter[str]:
    """Return in how many of the 13,100 LJ clips each word is said."""
    counts: Counter[str] = Counter()
    with gzip.open(data / "text/ljspeech_metadata_full.csv.gz", "rt", encoding="utf-8") as lines:
        for row in csv.reader(lines, delimiter="|", quoting=csv.QUOTE_NONE):
            counts.update(set(spoken_words(row[-1])))
    return counts


def rarest(text: str, frequency: Mapping[str, int], count: int = 3) -> str:
    """Return the rarest different words of a text of more than three letters, in the order they are said.

    >>> rarest("The old marshal lived within the prison", Counter(marshal=2, lived=9, within=9, prison=5))
    'marshal lived prison'
    """
    words = [word for word in dict.fromkeys(spoken_words(text)) if len(word) > 3]
    chosen = sorted(words, key=lambda word: frequency[word])[:count]
    return " ".join(word for word in words if word in chosen)


def has_run(words: Sequence[str], run: Sequence[str]) -> bool:
    """Say whether the words of a run follow each other in the words.

    >>> has_run(["a", "b", "c"], ["b", "c"]), has_run(["a", "b", "c"], ["a", "c"])
    (True, False)
    """
    return any(list(words[i : i + len(run)]) == list(run) for i in range(len(words) - len(run) + 1))


def as_typed(text: str) -> str:
    """Return a transcript as a person types it.

    >>> as_typed("HE IS A BIG BOY"), as_typed("He is a big boy.")
    ('he is a big boy', 'He is a big boy.')
    """
    return text.lower() if text.isupper() else text


def worded_queries(passages: Sequence[HumanPassage], frequency: Mapping[str, int]) -> list[Question]:
    """Return the queries made of the passages' own words, each with every passage that has the words.

    >>> one, two = HumanPassage("p1", ("Cats purr.",)), HumanPassage("p2", ("Dogs bark.", "Cats purr."))
    >>> [(q.query_id, q.text, q.relevant) for q in worded_queries([one, two], Counter())][:2]
    [('said-000', 'Cats purr.', ('p1', 'p2')), ('rare-000', 'cats purr', ('p1', 'p2'))]
    """
    words_of = {passage.passage_id: passage.words for passage in passages}
    questions: list[Question] = []
    for number, passage in enumerate(passages):
        said = min(passage.texts, key=lambda text: abs(len(spoken_words(text)) - SAID_WORDS))
        rare = rarest(" ".join(passage.texts), frequency)
        long = (words for words in map(spoken_words, passage.texts) if len(words) >= 12)
        phrase = next(long, passage.words)[4:12]
        with_said, with_phrase = (
            tuple(name for name, words in words_of.items() if has_run(words, run))
            for run in (spoken_words(said), phrase)
        )
        with_rare = tuple(name for name, words in words_of.items() if set(rare.split()) <= set(words))
        questions.append(Question(f"said-{number:03d}", as_typed(said), with_said))
        questions.append(Question(f"rare-{number:03d}", rare, with_rare))
        questions.append(Question(f"phrase-{number:03d}", " ".join(phrase), with_phrase))
    return questions


def read_paraphrases(path: Path = PARAPHRASES) -> dict[str, dict[str, str]]:
    """Return {set: {passage id: paraphrase}}.

    Raises:
        ValueError: a set is unknown, or a passage has two paraphrases.
    """
    found: dict[str, dict[str, str]] = {name: {} for name in (*HUMAN_SETS, "tuning")}
    with open(path, encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            name, passage_id = row["set"], row["passage"]
            if name not in found:
                raise ValueError(f"{path.name}: there is no set {name!r}; known: {', '.join(found)}.")
            if passage_id in found[name]:
                raise ValueError(f"{path.name}: {name}, {passage_id} is paraphrased twice.")
            found[name][passage_id] = row["paraphrase"].strip()
    return found


def paraphrase_queries(passages: Sequence[HumanPassage], paraphrases: Mapping[str, str]) -> list[Question]:
    """Return the paraphrases as queries with the number of their passage, in its order.

    >>> paraphrase_queries([HumanPassage("p1", ()), HumanPassage("p2", ())], {"p2": "What do cats do?"})
    [Question(query_id='paraphrase-001', text='What do cats do?', relevant=('p2',))]

    Raises:
        ValueError: there is no such passage.
    """
    known = [passage.passage_id for passage in passages]
    if missing := sorted(set(paraphrases) - set(known)):
        raise ValueError(
            f"paraphrases of passages that do not exist: {', '.join(missing)}; correct {PARAPHRASES.name}."
        )
    return [
        Question(f"paraphrase-{number:03d}", paraphrases[passage_id], (passage_id,))
        for number, passage_id in enumerate(known)
        if passage_id in paraphrases
    ]


def reserved_clips(data: Path, parts: Iterable[str]) -> list[tuple[Path, str, str]]:
    """Return the reserved clips of the parts as (file, text, speaker)."""
    found = {name: rows for part, name, rows in human_parts(data) if part == "evaluation"}
    return [row for name in parts for row in found[name]]


def build_human(data: Path, folder: Path, name: str, seed: int) -> None:
    """Write reserved human clips joined to passages, with the known-item queries of all kinds."""
    kind = HUMAN_SETS[name]
    clips = reserved_clips(data, kind.parts)
    sounds = [soundfile.read(file, dtype="int16", always_2d=True)[0][:, 0] for file, _, _ in clips]
    durations_s = [len(samples) / SAMPLE_RATE_HZ + PAUSE_S for samples in sounds]
    groups = [file.stem.rpartition("-")[0] or speaker for file, _, speaker in clips]
    length = f"{kind.shortest_s:.0f}-{kind.longest_s:.0f} s"
    note = f" ({kind.note})" if kind.note else ""
    writer = SetFolder(
        folder, f"reserved {' and '.join(kind.parts)} clips{note} joined to {length}; known-item queries"
    )
    pause = np.zeros(int(PAUSE_S * SAMPLE_RATE_HZ), np.int16)
    pieces = join(durations_s, groups, kind.shortest_s, kind.longest_s)
    passages: list[HumanPassage] = []
    for number, piece in enumerate(pieces):
        texts = tuple(clips[i][1] for i in piece)
        passages.append(HumanPassage(f"{groups[piece[0]]}-p{number:03d}", texts))
        samples = np.concatenate([part for i in piece for part in (sounds[i], pause)])
        writer.add(passages[-1].passage_id, samples, " ".join(texts), f"human:{clips[piece[0]][2]}")
    joined = {i for piece in pieces for i in piece}
    writer.left_out += [
        f"{clips[i][0].stem}: a rest of less than half a passage" for i in set(range(len(clips))) - joined
    ]
    questions = worded_queries(passages, document_frequency(data))
    questions += paraphrase_queries(passages, read_paraphrases()[name])
    writer.close(questions, seed, Asker(rotation(seed), SPOKEN_QUERIES, ("said", "paraphrase")))
