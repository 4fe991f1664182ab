import re

from rnn_cli.insight.html import Html, bar, element, joined, page, table

NASTY = "<script>alert('x')</script> & \"quotes\""
ESCAPED = "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;quotes&quot;"


def test_text_is_escaped_and_markup_stands_as_it_is() -> None:
    assert element("p", NASTY) == f"<p>{ESCAPED}</p>"
    assert element("p", "a & ", element("b", "c")) == "<p>a &amp; <b>c</b></p>"
    assert joined(["<", Html("<br>")]) == "&lt;<br>"


def test_attributes_are_escaped_and_none_is_left_out() -> None:
    assert element("p", class_='a"b', aria_label="x", role=None) == '<p class="a&quot;b" aria-label="x"></p>'


def test_every_text_of_a_table_is_escaped() -> None:
    made = table(NASTY, [(NASTY, "left"), ("b", "right")], [[NASTY, NASTY]])
    assert "<script" not in made
    assert made.count(ESCAPED) == 5  # the caption twice: it names the region that scrolls


def test_a_table_names_its_columns_and_rows_for_a_screen_reader() -> None:
    made = table("t", [("word", "left"), ("bits", "right")], [["a", "1"], ["b", "2"]], marked=1)
    assert '<th scope="col">word</th><th scope="col" class="right">bits</th>' in made
    assert '<tr><th scope="row">a</th><td class="right">1</td></tr>' in made
    assert '<tr class="most"><th scope="row">b</th>' in made


def test_a_bar_is_as_long_as_its_share_and_hidden_from_screen_readers() -> None:
    assert bar(0.25) == (
        '<span class="track" aria-hidden="true"><span style="width: 25.0%" class="bar"></span></span>'
    )
    assert 'class="bar against"' in bar(0.5, against=True)


def test_a_page_needs_no_script_and_no_network() -> None:
    made = page(NASTY, [element("h1", "x")])
    assert made.startswith('<!doctype html>\n<html lang="en">')
    assert f"<title>{ESCAPED}</title>" in made
    assert "<script" not in made
    assert not re.search(r"https?:|src=|@import|url\(", made)
    assert "prefers-color-scheme: dark" in made
