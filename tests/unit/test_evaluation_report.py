"""The report as JSON and as tables, and the machine it names."""

import json
import platform
import socket

import pytest

from speechsearch.evaluation import (
    EngineReport,
    EvaluationReport,
    Figure,
    Machine,
    PairedTest,
    as_json,
    as_markdown,
    describe_machine,
    peak_memory_bytes,
)
from speechsearch.evaluation.machine import processor
from speechsearch.evaluation.metrics import RANK_METRICS
from speechsearch.evaluation.report import table

NAN = float("nan")


def engine(name: str, **changes: object) -> EngineReport:
    values = {
        "engine": name, "queries": 40, "unanswerable": 10, "unsearchable": 0,
        "figures": {metric: Figure(0.5, 0.4, 0.6) for metric in RANK_METRICS}, "against_baseline": {},
        "abstention_rate": 0.9, "confident_rate": 0.75, "word_error_rate": 0.25, "phoneme_error_rate": None,
        "query_p50_ms": 12.34, "query_p95_ms": 20.0, "indexing_real_time_factor": 151.4, "index_bytes": 3 * 2**19,
        "peak_memory_bytes": 2**30,
    } | changes  # fmt: skip
    return EngineReport(**values)


def report() -> EvaluationReport:
    tests = {"recall@5": PairedTest(0.1, 0.0004), "mrr@10": PairedTest(-0.02, 0.4)}
    return EvaluationReport(
        collection="small", passages=20, queries=50, audio_s=90.0,
        engines=(engine("hybrid", against_baseline=tests), engine("asr", figures={m: Figure(NAN, NAN, NAN)
                 for m in RANK_METRICS}, query_p50_ms=NAN)),
        machine=Machine("Fast CPU", 2, 8 * 2**30, "Linux x86_64", "3.11.2", "2.13.0"),
        command="speechsearch evaluate small\n--engines hybrid,asr", date="2026-11-20", seed=7,
    )  # fmt: skip


def test_json_has_a_version_and_no_nan():
    written = json.loads(json.dumps(as_json(report()), allow_nan=False))
    assert written["schema_version"] == 1 and written["confidence_level"] == 0.95
    assert (written["collection"], written["passages"], written["queries"], written["seed"]) == ("small", 20, 50, 7)
    assert written["machine"]["processor"] == "Fast CPU" and written["date"] == "2026-11-20"
    first, second = written["engines"]
    assert first["figures"]["recall@5"] == {"mean": 0.5, "low": 0.4, "high": 0.6}
    assert first["against_baseline"]["mrr@10"] == {"difference": -0.02, "p_value": 0.4}
    assert second["figures"]["recall@5"]["mean"] is None and second["query_p50_ms"] is None
    assert list(first["figures"]) == list(RANK_METRICS)


def test_json_and_tables_are_the_same_every_time():
    assert json.dumps(as_json(report())) == json.dumps(as_json(report()))
    assert as_markdown(report()) == as_markdown(report())


def test_tables_show_intervals_n_machine_command_and_date():
    text = as_markdown(report())
    lines = text.splitlines()
    assert lines[0] == "small: 20 passages, 1.5 min, 50 queries, n = 40 with an answer; 95% bootstrap intervals."
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert cells[0] == ["engine", "recall@1", "recall@5", "recall@10", "recall@100", "MRR@10", "nDCG@10"]
    assert cells[2] == ["hybrid", *["0.500 [0.400, 0.600]"] * 6]
    assert cells[3] == ["asr", *["-"] * 6]
    assert cells[6] == ["hybrid", "+0.100 (<0.001)", "-0.020 (0.400)", "25.0", "-", "90.0", "75.0", "151", "12.3",
                        "20.0", "1.5", "1024.0"]  # fmt: skip
    assert cells[7][:3] == ["asr", "-", "-"] and cells[7][8] == "-"
    assert "Fast CPU, 2 cores, 8.0 GiB, Linux x86_64, Python 3.11.2, torch 2.13.0, seed 7" in text
    assert "    speechsearch evaluate small --engines hybrid,asr\n" in text


def test_a_cell_cannot_break_the_table():
    assert table(["a|b"], [["x\n| y"]]) == ["| a\\|b   |", "| :----- |", "| x \\| y |"]


def test_the_machine_is_described_without_its_name():
    machine = describe_machine()
    assert machine.cores >= 1 and machine.memory_bytes > 2**28 and machine.processor
    assert machine.python == platform.python_version()
    assert socket.gethostname() not in str(machine).split()


def test_the_processor_is_read_from_linux_or_else_from_python(tmp_path):
    description = tmp_path / "cpuinfo"
    assert processor(description) == (platform.processor() or platform.machine())
    description.write_text("processor : 0\nmodel name\t: Fast  CPU @ 2 GHz\n")
    assert processor(description) == "Fast CPU @ 2 GHz"
    description.write_text("processor : 0\nmodel name : \n")
    assert processor(description) == (platform.processor() or platform.machine())


def test_peak_memory_never_falls():
    before = peak_memory_bytes()
    block = bytearray(64 * 2**20)
    assert peak_memory_bytes() >= before
    assert before == pytest.approx(peak_memory_bytes(), abs=200 * 2**20) and len(block)
