import math
import re

import pytest

from rnn_cli.insight import plots
from rnn_cli.insight.plots import Line, can_plot, plot

needs_matplotlib = pytest.mark.skipif(not can_plot(), reason="matplotlib is an extra")
LINES = [Line("a <b>", [1, 2, 4], [3.0, 2.0, 1.0]), Line("marks", [1, 4], [3.0, 1.0], number=1, points=True)]


def test_without_matplotlib_there_is_no_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "can_plot", lambda: False)
    assert plot("a plot", LINES, x_label="x", y_label="y") is None


@needs_matplotlib
def test_a_plot_is_one_figure_that_a_screen_reader_can_name() -> None:
    made = plot('loss & "more"', LINES, x_label="tokens", y_label="loss", log_x=True)
    assert made is not None
    assert made.startswith('<figure><svg role="img" aria-label="loss &amp; &quot;more&quot;"')
    assert made.endswith("</svg>\n<figcaption>loss &amp; &quot;more&quot;</figcaption></figure>")
    assert ">tokens</text>" in made
    assert "a &lt;b&gt;</text>" in made


@needs_matplotlib
def test_a_plot_takes_the_pages_colour_and_needs_no_network() -> None:
    made = plot("a plot", LINES, x_label="x", y_label="y")
    assert made is not None
    assert "currentColor" in made
    assert plots._INK not in made
    assert not re.search(r"https?:|<metadata|<!DOCTYPE|<script", made)


@needs_matplotlib
def test_the_same_lines_make_the_same_plot_and_long_ones_are_thinned() -> None:
    y = [math.sin(i / 100) for i in range(20_000)]
    made = [plot("a plot", [Line("sine", range(20_000), y)], x_label="x", y_label="y") for _ in range(2)]
    assert made[0] == made[1]
    assert made[0] is not None
    assert len(made[0]) < 40_000


@needs_matplotlib
def test_a_name_in_the_legend_is_no_markup_and_is_never_left_out() -> None:
    names = ["x$\\q$", "_u", "$5 to $6", "100\\%"]
    lines = [Line(name, [1, 2], [3.0, 2000.0], number=number) for number, name in enumerate(names)]

    made = plot("a plot", lines, x_label="x", y_label="y", log_y=True)

    assert made is not None
    assert [name for name in names if f">{name}</text>" in made] == names
    assert not re.search(r"mathdefault[^<]*</text>", made)  # the axis still has powers of ten


@needs_matplotlib
def test_a_name_that_the_fonts_lack_is_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    names = ["\u65e5\u672c", "a\x1bb"]
    made = plot("a plot", [Line(name, [1, 2], [1, 2]) for name in names], x_label="x", y_label="y")
    assert made is not None
    assert names[0] in made
    assert not recwarn.list
