"""Lines on axes as SVG that stands in a page. Made by matplotlib, an extra: without it there is no plot.

From a clone: pip install -c constraints.txt '.[plots]'
"""

import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from rnn_cli.cache import cache_folder
from rnn_cli.insight.html import Html, attributes_of, element

HOW_TO_INSTALL = (
    "The page has no plots, because matplotlib is not installed. "
    "Install it from a clone: pip install -c constraints.txt '.[plots]'"
)
MOST_POINTS = 500  # of a line: more cannot be told apart and make the page large

# Each has a contrast of 3:1 at least with white and with the dark page. Lines differ in their dashes, too.
_COLOURS = ("#1f77b4", "#d95f02", "#1b9e77", "#c2378f", "#7570b3", "#8a6d3b")
_DASHES = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "^", "D")
_INK = "#123456"  # stands for the colour of the page's text


@dataclass(frozen=True)
class Line:
    """Points joined by a line, or (`points`) each for itself. x and y have one length.

    Lines with the same number have the same colour.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    number: int = 0
    points: bool = False


def can_plot() -> bool:
    """Whether matplotlib is installed."""
    os.environ.setdefault(
        "MPLCONFIGDIR", str(cache_folder() / "matplotlib")
    )  # where it keeps its list of fonts
    try:
        import matplotlib
    except ImportError:
        return False
    return bool(matplotlib)


def plot(
    caption: str,
    lines: Sequence[Line],
    *,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    log_y: bool = False,
) -> Html | None:
    """A figure with its caption, which also tells a screen reader what is seen; None without matplotlib."""
    if not can_plot():
        return None
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "rnn_cli",
        **dict.fromkeys(
            ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _INK
        ),
    }
    with rc_context(settings):
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        axes = figure.subplots()
        drawn: list[Any] = []
        for line in lines:
            every = max(1, -(-len(line.x) // MOST_POINTS))
            drawn += axes.plot(
                line.x[::every],
                line.y[::every],
                color=_COLOURS[line.number % len(_COLOURS)],
                linestyle="" if line.points else _DASHES[line.number % len(_DASHES)],
                marker=_MARKERS[line.number % len(_MARKERS)] if line.points else None,
            )
        if log_x:
            axes.set_xscale("log", base=2)
        if log_y:
            axes.set_yscale("log")
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 200k, 1M
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if len(lines) > 1:
            legend = axes.legend(drawn, ["a line"] * len(lines), frameon=False)
            for text, line in zip(legend.get_texts(), lines, strict=True):
                # As it stands: a name is no markup, and may begin with "_", for which the legend would leave it out.
                text.set_parse_math(False)
                text.set_text(line.label)
        written = StringIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of letters that its fonts lack: the browser has its own
            figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return element("figure", _as_part_of_a_page(written.getvalue(), caption), element("figcaption", caption))


def _as_part_of_a_page(svg: str, caption: str) -> Html:
    """Without what only a file of its own needs, in the page's colour of text, named for a screen reader."""
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg, count=2)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # a page may hold several plots, and ids are of one element
    return Html(svg.replace("<svg", f"<svg{attributes_of(role='img', aria_label=caption)}", 1))
