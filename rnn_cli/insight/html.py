"""HTML that is put together from parts: every text is escaped, no page needs the network or a script.

page("A run", [element("h1", "A & B"), table("losses", [("step", "right")], [["10"]])])
"""

from collections.abc import Iterable, Sequence
from html import escape


class Html(str):
    """Markup, which stands as it is. A plain str is text: it is escaped wherever it becomes part of markup."""

    __slots__ = ()


# Contrast of text on its background is 7:1 at least in both schemes, of bars 3:1 (WCAG 2.2, 1.4.6 and 1.4.11).
_STYLE = """\
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --faint: #4a5158; --line: #c9ced4;
  --for: #1a66b8; --against: #b3261e; --shade: #eef1f5; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #eceff2; --faint: #b9c1c9; --line: #474e55;
  --for: #6cb1ff; --against: #ff8f86; --shade: #20252a; } }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
h1, p, li { overflow-wrap: anywhere; }
p, figcaption, caption { max-width: 50rem; } figcaption, caption { color: var(--faint); text-align: left; }
.verdict { font-size: 1.2rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { color: var(--faint); font-weight: normal; } tbody th { font-weight: 600; }
.right { text-align: right; font-variant-numeric: tabular-nums; } .most { background: var(--shade); }
.bar { display: inline-block; height: .7em; background: var(--for); } .bar.against { background: var(--against); }
.track { display: inline-block; width: 8rem; }
figure { margin: 1rem 0; } svg { max-width: 100%; height: auto; }
@media print { body { margin: 0; max-width: none; } h2, figure, tr, .scroll { break-inside: avoid; }
  h2, caption, thead { break-after: avoid; }
  .bar { print-color-adjust: exact; } }
"""


def element(tag: str, *children: str, **attributes: str | None) -> Html:
    """<tag attributes>children</tag>; see `attributes_of`."""
    return Html(f"<{tag}{attributes_of(**attributes)}>{joined(children)}</{tag}>")


def attributes_of(**attributes: str | None) -> Html:
    """Attributes as they stand in a tag. class_ means class, aria_label aria-label; None is left out."""
    return Html(
        "".join(
            f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"'
            for name, value in attributes.items()
            if value is not None
        )
    )


def joined(parts: Iterable[str]) -> Html:
    """One part after another."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def table(
    caption: str,
    columns: Sequence[tuple[str, str]],
    rows: Iterable[Sequence[str]],
    *,
    marked: int | None = None,
) -> Html:
    """A table whose first column names its rows.

    Args:
        columns: (heading, "left" or "right").
        marked: the number of the row to stand out, from 0.
    """
    sides = [None if side == "left" else side for _, side in columns]
    head = joined(
        element("th", heading, scope="col", class_=side)
        for (heading, _), side in zip(columns, sides, strict=True)
    )
    body = []
    for number, row in enumerate(rows):
        first, *others = row
        cells = [element("th", first, scope="row", class_=sides[0])]
        cells += [element("td", cell, class_=side) for cell, side in zip(others, sides[1:], strict=True)]
        body.append(element("tr", *cells, class_="most" if number == marked else None))
    whole = element(
        "table", element("caption", caption), element("thead", element("tr", head)), element("tbody", *body)
    )
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def bar(share: float, *, against: bool = False) -> Html:
    """A bar for a share of the longest, 0 to 1. It repeats a number beside it, so that no reader needs it."""
    filled = element("span", style=f"width: {100 * share:.1f}%", class_="bar against" if against else "bar")
    return element("span", filled, class_="track", aria_hidden="true")


def page(title: str, parts: Iterable[Html]) -> str:
    """A whole page."""
    head = joined(
        [
            Html('<meta charset="utf-8">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            element("title", title),
            Html(f"<style>{_STYLE}</style>"),
        ]
    )
    body = element("main", *parts)
    return f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body>\n{body}\n</body>\n</html>\n'
