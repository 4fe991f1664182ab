import re

import pytest

from rnn_cli.insight.trace import trace
from rnn_cli.insight.trace_page import trace_page
from tests.insight.conftest import MakeModel, make_linear_model


def test_the_page_says_what_decided_and_marks_it() -> None:
    page = trace_page(trace(make_linear_model(), "you eat soup and ____"))
    assert "What speaks most for it is &quot;soup&quot;: without that word it would be 16.7%." in page
    assert re.findall(r'<tr class="most"><th scope="row">(\w+)</th>', page) == ["soup"]
    assert '<td class="right">+3.0</td>' in page


@pytest.mark.parametrize(
    ("cell", "equation"),
    [
        ("elman", "h_t = f(W · [h_{t-1}, x_t] + b)."),
        ("gru", "h_t = z ⊙ h_{t-1} + (1 - z) ⊙ n,"),
        ("lstm", "s_t = f ⊙ s_{t-1} + i ⊙ g and h_t = o ⊙ tanh(s_t),"),
        ("mogrifier", "x ← 2σ(M · h) ⊙ x and h ← 2σ(M · x) ⊙ h."),
        ("indrnn", "h_t = f(W · x_t + u ⊙ h_{t-1} + b),"),
    ],
)
def test_the_page_has_the_equation_of_the_cell(make_model: MakeModel, cell: str, equation: str) -> None:
    assert equation in trace_page(trace(make_model(cell=cell), "you eat soup and ____"))


def test_what_was_typed_is_escaped() -> None:
    page = trace_page(trace(make_linear_model(), "<b>soup</b> & ____"))
    assert "<bdi>&lt;b&gt;soup&lt;/b&gt; &amp; ____</bdi>" in page
    assert "<b>" not in page


def test_the_headings_go_down_one_by_one() -> None:
    page = trace_page(trace(make_linear_model(), "you eat soup and ____"))
    assert re.findall(r"<(h\d)>", page) == ["h1", "h2", "h2"]
