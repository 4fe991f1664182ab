"""A report on a run: what is measured, what is missing, and the page."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rnn_cli.insight import plots
from rnn_cli.insight.report import Report, make_report
from rnn_cli.insight.report_page import report_page
from rnn_cli.insight.runs import read_run
from tests.insight.conftest import (
    flowed,
    make_linear_model,
    sampled,
    trained,
    validated,
    write_model,
    write_run,
)

TEXTS = {
    "train": "I eat rice\nyou eat soup and rice\n",
    "valid": "you eat soup and tea\nI drink tea\n",
    "questions": '{"text": "I eat soup and __ <b>", "answer": "tea"}\n',
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with a model and all its texts."""
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text)
    config = "data:\n  mode: lines\n"
    config += "".join(f"  {split}: {tmp_path / split}\n" for split in ("train", "valid"))
    config += f"  questions: {{cloze: {tmp_path / 'questions'}}}\n"
    records = [trained(step, perplexity=9 - step / 100, norm=2.5) for step in range(10, 300, 10)]
    at_validations = [
        flowed(100, [0.5, 0.25]), sampled(100, "I eat <b>", eat=("soup", 0.5)),
        flowed(290, [0.75, 0.5]), validated(290, perplexity=5), sampled(290, "I eat rice", eat=("rice", 0.75)),
    ]  # fmt: skip
    folder = write_run(tmp_path / "run", [*records, *at_validations], config=config)
    write_model(folder, make_linear_model())
    return folder


def report_on(run: Path) -> Report:
    return make_report(read_run(run))


def test_the_model_is_measured_on_the_validation_text(run: Path) -> None:
    found = report_on(run)
    assert found.missing == []
    measured = found.measured
    assert measured is not None
    assert (measured.split, measured.tokens) == ("valid", 10)
    assert measured.accuracy == pytest.approx(2 / 10)  # it always says tea, which comes twice
    assert [(group.name, group.tokens) for group in measured.frequency] == [("0", 3), ("1-9", 7)]
    assert sum(band.total for band in measured.reliability.bands) == 10
    assert [point.words for point in measured.memory] == [1, 2, 4]


def test_the_models_answers_stand_beside_the_right_ones(run: Path) -> None:
    ((prompt, result),) = report_on(run).completions
    assert prompt.answer == "tea"
    assert result.completions[0].words == ["tea"]
    assert len(result.completions) == 3


def test_without_a_validation_text_the_next_best_serves(run: Path) -> None:
    config = run / "config.yaml"
    config.write_text(re.sub("  valid: .*\n", "", config.read_text()))
    measured = report_on(run).measured
    assert measured is not None
    assert measured.split == "train"


def test_a_part_kept_apart_of_the_training_text_is_measured_and_what_was_learnt_is_not(
    run: Path, tmp_path: Path
) -> None:
    (tmp_path / "train").write_text("I eat rice\n" * 8 + "I drink tea\nyou eat soup\n")
    config = run / "config.yaml"
    shares = "  split: {valid: 0.2, test: 0.0}\n"
    config.write_text(re.sub("  valid: .*\n", shares, config.read_text()).replace("lines", "stream"))
    measured = report_on(run).measured
    assert measured is not None
    assert (measured.split, measured.tokens) == ("valid", 4)
    # The last line, of which the others have "eat" and the end.
    assert [(group.name, group.tokens) for group in measured.frequency] == [("0", 2), ("1-9", 2)]


def test_texts_that_are_gone_are_said_to_be(run: Path, tmp_path: Path) -> None:
    (tmp_path / "train").unlink()
    found = report_on(run)
    assert found.missing == [f"The train text was not read: There is no file {tmp_path}/train."]
    assert found.measured is not None
    assert found.measured.frequency == []
    (tmp_path / "valid").unlink()
    found = report_on(run)
    assert found.missing == [f"The valid text was not read: There is no file {tmp_path}/valid."]
    assert found.measured is None


def test_a_run_without_a_model_has_its_records(run: Path) -> None:
    (run / "model.safetensors").unlink()
    found = report_on(run)
    assert found.missing == ["The run has no model yet, so there is nothing to measure."]
    assert "<h2>How it was trained</h2>" in report_page(found)


def test_a_report_is_json(run: Path) -> None:
    stored = json.loads(json.dumps(report_on(run).to_dict(), allow_nan=False))
    assert list(stored) == ["run", "gradient_flow", "samples", "measured", "completions", "missing"]
    assert [record["by_lag"] for record in stored["gradient_flow"]] == [[0.5, 0.25], [0.75, 0.5]]
    assert stored["samples"][1]["completions"] == [{"prompt": "eat", "word": "rice", "probability": 0.75}]
    assert stored["completions"][0]["answer"] == "tea"


def test_the_page_has_every_section_under_a_heading(run: Path) -> None:
    page = report_page(report_on(run))
    assert re.findall(r"<h2>(.*?)</h2>", page) == [
        "What it came to",
        "How it was trained",
        "How far back an error reached",
        "What it said on the way",
        "How far back it remembers",
        "Frequent and rare words",
        "How far it can be believed",
        "What it says",
        "The texts",
        "The config",
    ]
    for cell in ('<td class="right">0.75</td>', "<td>soup 50%</td><td>rice 75%</td>", "<td>I eat rice</td>"):
        assert cell in page
    assert "<li>train: 3 lines, 400 tokens</li>" in page
    assert '<th scope="row">data.mode</th><td>lines</td>' in page
    assert '<td class="right">2.50</td>' in page or plots.can_plot()


def test_every_text_of_the_page_is_escaped(run: Path) -> None:
    page = report_page(report_on(run))
    assert "I eat soup and __ &lt;b&gt;" in page
    assert "<b>" not in page
    assert "<script" not in page


def test_without_matplotlib_ten_moments_of_the_training_are_a_table(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "can_plot", lambda: False)
    page = report_page(report_on(run))
    assert "<svg" not in page
    rows = re.findall(r'<th scope="row" class="right">([\d,]+)</th><td class="right">\d\.\d{3}</td>', page)
    assert rows[:3] == ["100", "400", "700"]
    assert (len(rows), rows[-1]) == (10, "2,900")


@pytest.mark.skipif(not plots.can_plot(), reason="matplotlib is an extra")
def test_with_matplotlib_the_page_has_its_plots(run: Path) -> None:
    page = report_page(report_on(run))
    assert re.findall(r'<svg role="img" aria-label="([^"]*)"', page) == [
        "The loss: a line for the windows trained on, marks for the validation text.",
        "The learning rate.",
        "The norm of the gradient before clipping.",
        "The gradient&#x27;s norm by the steps back from the error, a line for each moment of the training.",
        "The rise of the loss by the number of last words seen.",
    ]
    assert not re.search(r"https?:", page)


def test_a_training_too_short_to_be_recorded_is_said_to_be(tmp_path: Path) -> None:
    page = report_page(report_on(write_run(tmp_path / "run", [])))
    assert "No windows were recorded: the training is shorter than training.log_every_windows." in page


LOOK = """<script>
const contrast = (a, b) => {
  const light = c => { const [r, g, b] = c.match(/\\d+/g).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05); };
const all = tag => [...document.querySelectorAll(tag)];
const paper = getComputedStyle(document.body).backgroundColor;
document.title = JSON.stringify({
  paper, overflows: document.documentElement.scrollWidth > innerWidth,
  contrast: Math.min(...all('h1, h2, p, th, td, caption, figcaption, li, svg')
    .map(e => contrast(getComputedStyle(e).color, paper))),
  unnamed: all('svg').filter(e => !e.getAttribute('aria-label')).length
    + all('table').filter(e => !e.caption).length,
  flat: all('svg').filter(e => e.getBoundingClientRect().height < 50).length, h1: all('h1').length});
</script>"""


@pytest.mark.long
@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
@pytest.mark.parametrize(("scheme", "paper"), [(1, "rgb(255, 255, 255)"), (0, "rgb(20, 23, 26)")])
@pytest.mark.parametrize("width", [500, 1200])
def test_a_browser_shows_the_page_readably(
    run: Path, tmp_path: Path, scheme: int, paper: str, width: int
) -> None:
    """Chromium lays out the page with a script added that looks at it; 0 is its dark scheme, 1 its light one."""
    (tmp_path / "page.html").write_text(report_page(report_on(run)) + LOOK)
    flags = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
    ]
    done = subprocess.run(
        ["chromium", *flags, f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},2000",
         f"--blink-settings=preferredColorScheme={scheme}", "--dump-dom", str(tmp_path / "page.html")],
        capture_output=True, text=True, check=True, timeout=110,
    )  # fmt: skip
    title = re.search("<title>(.*?)</title>", done.stdout)
    assert title is not None
    seen = json.loads(html.unescape(title[1]))
    assert (seen["paper"], seen["h1"], seen["unnamed"], seen["flat"]) == (paper, 1, 0, 0)
    assert not seen["overflows"]
    assert seen["contrast"] >= 7
