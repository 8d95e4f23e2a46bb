"""Held-out photos with the sentences before and after, as one HTML file that needs nothing else."""

from __future__ import annotations

from html import escape
from pathlib import Path

from captioner.files import whole_file
from captioner.images import open_image
from captioner.images.inline import data_url
from captioner.teaching.verdict import Verdict, VerdictRow

SHOWN = 10  # photos
_SIDE = 320  # longest side of a photo, pixels
_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } td, th { padding: .2rem 1rem .2rem 0; text-align: left; }
article { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.5rem 0; }
article img { width: 20rem; max-width: 100%; object-fit: contain; align-self: start; }
article div { flex: 1 1 20rem; } dt { opacity: .7; font-size: .85rem; } dd { margin: 0 0 .6rem; }
"""


def page_file(output: Path) -> Path:
    """Where the page on the model in `output` lies."""
    return output.with_name(f"{output.stem}.before-after.html")


def write_before_after(verdict: Verdict, output: Path) -> Path:
    """Write the page on what the model in `output` has learnt, beside it: ten of the photos that it
    was judged by. Raises CaptionerError where it cannot be written."""
    file = page_file(output)
    name = escape(output.stem)
    parts = [
        "<!doctype html>\n<html lang='en'><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{name}: before and after</title><style>{_STYLE}</style>",
        f"<h1>{name}: before and after</h1><p><b>{escape(verdict.sentence())}</b>",
        f"<pre>{escape(chr(10).join(verdict.table()))}</pre>",
        *map(_article, verdict.rows[:SHOWN]),
    ]
    with whole_file(file, "w") as page:
        page.write("\n".join([*parts, "</html>\n"]))
    return file


def _article(row: VerdictRow) -> str:
    yours = row.pair.captions[0]
    terms = (("yours", yours), ("before", row.before), ("after", row.after))
    said = "".join(f"<dt>{name}<dd>{escape(text)}" for name, text in terms)
    picture = data_url(open_image(row.pair.content, row.pair.name, target=_SIDE), _SIDE)
    return (
        f"<article><img src='{picture}' alt='{escape(yours)}'>"
        f"<div><dl>{said}</dl><small>{escape(row.pair.name)}</small></div></article>"
    )
