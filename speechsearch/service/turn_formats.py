"""Who speaks when, and what, as files: RTTM, JSON, subtitles, one text a speaker, a report. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, get_args

from speechsearch.domain.safe_text import one_line, safe_name
from speechsearch.domain.segments import Segment
from speechsearch.domain.speakers import Diarization, Turn
from speechsearch.domain.spoken_by import label_of, with_speakers
from speechsearch.domain.times import clock, length
from speechsearch.domain.values import Span
from speechsearch.service.transcript_formats import as_transcript, named_in

DiarizationFormat = Literal["rttm", "json", "srt", "vtt", "txt", "md"]
FORMATS: tuple[DiarizationFormat, ...] = get_args(DiarizationFormat)


def as_files(
    found: Diarization, segments: Sequence[Segment], formats: Sequence[DiarizationFormat], about: Mapping[str, Any]
) -> dict[str, str]:
    """Return files by their endings; for txt there is one more for each speaker, like "Speaker 1.txt".

    ``segments``: what is said, in order; none where nobody wrote it down. ``about``: what the files say besides: at
    least "file", its name.
    """
    said = with_speakers(segments, found.turns)
    shown = said or [Segment(turn.span, label_of(turn.voice)) for turn in found.turns]
    files: dict[str, str] = {}
    for kind in formats:
        if kind == "rttm":
            files[kind] = as_rttm(found.turns, str(about["file"]))
        elif kind == "md":
            files[kind] = as_report(found, said, str(about["file"]))
        elif kind == "json":
            files[kind] = as_transcript(said, kind, {**about, **as_values(found)})
        elif kind == "txt":
            files[kind] = as_text(shown)
            files |= {f"{safe_name(who)}.{kind}": text for who, text in texts_by_speaker(shown).items() if said}
        else:
            files[kind] = as_transcript(shown, kind, about)
    return files


def as_rttm(turns: Sequence[Turn], name: str, names: Mapping[int, str] | None = None) -> str:
    r"""Return turns as NIST's rich transcription time marks, a line each; blanks in names become underscores.

    ``names``: of the voices; "Speaker 1" where none is.

    >>> as_rttm([Turn(Span(0.5, 2.0), 1)], "a talk.wav")
    'SPEAKER a_talk 1 0.500 1.500 <NA> <NA> Speaker_1 <NA> <NA>\n'
    """
    known = names or {}
    file = "_".join(safe_name(name).rsplit(".", 1)[0].split())
    return "".join(
        f"SPEAKER {file} 1 {turn.span.start_s:.3f} {turn.span.duration_s:.3f} <NA> <NA> "
        f"{'_'.join((known.get(turn.voice) or label_of(turn.voice)).split())} <NA> <NA>\n"
        for turn in turns
    )


def as_values(found: Diarization) -> dict[str, Any]:
    """Return speakers and turns as plain values; times are in seconds."""
    return {
        "speakers": [{"speaker": label_of(voice.number), "speech": round(voice.speech_s, 3)} for voice in found.voices],
        "turns": [
            {
                "start": round(turn.span.start_s, 3),
                "end": round(turn.span.end_s, 3),
                "speaker": label_of(turn.voice),
                "overlap": turn.is_overlap,
            }
            for turn in found.turns
        ],
    }


def as_text(segments: Sequence[Segment]) -> str:
    r"""Return a dialogue: who speaks from when on, and what, a paragraph a turn.

    >>> as_text([Segment(Span(0, 1), "Who?", speaker="Ann"), Segment(Span(1, 2), "You.", speaker="Ann")])
    '[0:00:00.0] Ann: Who? You.\n'
    """
    return "".join(f"[{clock(one.span.start_s)}] {line_of(one)}\n" for one in paragraphs(segments))


def texts_by_speaker(segments: Sequence[Segment]) -> dict[str, str]:
    r"""Return what each speaker says, a line a turn, by name.

    >>> texts_by_speaker([Segment(Span(0, 1), "Who?", speaker="Ann"), Segment(Span(1, 2), "I.", speaker="Bob")])
    {'Ann': '[0:00:00.0] Who?\n', 'Bob': '[0:00:01.0] I.\n'}
    """
    texts: dict[str, str] = {}
    for one in paragraphs(segments):
        texts[one.speaker] = texts.get(one.speaker, "") + f"[{clock(one.span.start_s)}] {one_line(one.text)}\n"
    return texts


def as_report(found: Diarization, said: Sequence[Segment], name: str) -> str:
    """Return a report in Markdown: who speaks for how long, and the turns with their times and words."""
    total_s = sum(voice.speech_s for voice in found.voices)
    overlap_s = union_s([turn.span for turn in found.turns if turn.is_overlap])
    lines = [f"# Who speaks in {escaped(name)}", ""]
    if not found.voices:
        return "\n".join([*lines, "Nobody speaks.", ""])
    lines += ["| speaker | speaks | share | turns |", "| :------ | -----: | ----: | ----: |"]
    for voice in found.voices:
        own = [turn.span for turn in found.turns if turn.voice == voice.number]
        turns = len(own) - sum(one.end_s == other.start_s for one, other in pairwise(own))  # overlap cuts them
        share = f"{voice.speech_s / total_s:.0%}"
        lines.append(f"| {label_of(voice.number)} | {length(voice.speech_s)} | {share} | {turns} |")
    lines += ["", f"Several speak at once for {overlap_s:.1f} s, as far as that was heard.", ""] if overlap_s else [""]
    lines += ["## Turns", ""]
    shown = paragraphs(said) or [Segment(turn.span, "", speaker=label_of(turn.voice)) for turn in found.turns]
    for one in shown:
        text = f" {escaped(one_line(one.text))}" if one.text else ""
        lines.append(f"- {clock(one.span.start_s)} - {clock(one.span.end_s)} **{escaped(one.speaker)}**{text}")
    return "\n".join([*lines, ""])


def union_s(spans: Sequence[Span]) -> float:
    """Return for how long at least one of the spans lasts; they are in the order of their starts.

    >>> union_s([Span(0, 2), Span(0, 2), Span(1, 3), Span(5, 6)])
    4.0
    """
    total_s = end_s = 0.0
    for span in spans:
        total_s += max(0.0, span.end_s - max(end_s, span.start_s))
        end_s = max(end_s, span.end_s)
    return total_s


def paragraphs(segments: Sequence[Segment]) -> list[Segment]:
    """Return segments, those put together that one speaker says one after the other, where speakers are known."""
    found: list[Segment] = []
    for one in segments:
        last = found[-1] if found else None
        if last and one.speaker and last.speaker == one.speaker:
            found[-1] = Segment(Span(last.span.start_s, one.span.end_s), f"{last.text} {one.text}", speaker=one.speaker)
        else:
            found.append(one)
    return found


def line_of(segment: Segment) -> str:
    """Return what is said, after who says it where that is known."""
    text = one_line(segment.text)
    return f"{one_line(segment.speaker)}: {text}" if segment.speaker else text


def escaped(text: str) -> str:
    r"""Return text that Markdown shows as it is.

    >>> escaped("a*b <i>")
    'a\\*b \\<i\\>'
    """
    return "".join(f"\\{one}" if one in "\\`*_{}[]<>#|~" else one for one in one_line(text))


def formats_in(text: str) -> list[DiarizationFormat]:
    """Return the formats of who speaks when that a text names. Raises InputError: none, or one that there is not."""
    return named_in(text, FORMATS, "who speaks when")
