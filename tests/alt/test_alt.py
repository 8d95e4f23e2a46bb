"""Alternative texts against documents put together from pieces whose gaps are known."""

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import markdown as other_markdown
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from captioner.alt import command, in_html, in_markdown
from captioner.alt.documents import Document, documents
from captioner.alt.findings import findings
from captioner.alt.gaps import Gap, filled
from captioner.alt.markdown_rules import parser
from captioner.batch.result import PhotoResult
from captioner.errors import CaptionerError
from tests.batch import process
from tests.batch.fakes import sentence

# A piece of HTML with @ where a text is missing.
HTML_PIECES = [
    "<p>text</p>\n",
    "<img@ src=a.jpg>",
    "<IMG@ SRC='b c.jpg' />\r\n",
    '<img@\n  width="3"\n  src="d>.jpg"\n>',
    "<img@>",
    '<img alt="" src=e.jpg>',
    "<img alt src=e.jpg>",
    '<img src=f.jpg alt="a dog">',
    '<img ALT="x" src=f.jpg>',
    "<!-- <img src=g.jpg> -->",
    "<script>var a = '<img src=h.jpg>';</script>",
    "<style>/* <img src=i.jpg> */</style>",
    "<textarea><img src=j.jpg></textarea>",
    "<title><img src=k.jpg></title>",
    '<a title="<img src=l.jpg>">x</a>',
    "<picture><source srcset=m.webp><img@ src=m.jpg></picture>",
    "<noscript><img@ src=n.jpg></noscript>",
    "<image@ src=o.jpg>",
    "<svg><image src=o.jpg></image></svg>",
    "&lt;img src=p.jpg&gt;",
    "a < b\n",
    "ü – 漢 \U0001f600 \u2028 \x0b",
    "<br>",
    "<p",
    ">",
    "<?php echo '<b>'; ?>",
    "<![CDATA[ x ]]>",
]
# Blocks of Markdown: a blank line ends each.
MARKDOWN_PIECES = [
    "text",
    "![@](a.jpg)",
    'two ![](b.jpg "title") and ![@](<c d.jpg>) on a line',
    "![a dog](e.jpg)",
    "`![](f.jpg)` and \\![](f.jpg)",
    "```\n![](g.jpg)\n```",
    "    ![](h.jpg)",
    "> quoted\n> > ![@](i.jpg) deeper\nlazy ![@](j.jpg)",
    "* item ![@](k.jpg)\n\n  more ![@](l.jpg)\n  1. deep\n     ![@](m.jpg)",
    "# head ![@](n.jpg) line #",
    "![@](o.jpg) set\n===",
    "| a | b |\n|---|---|\n| ![@](p.jpg) | ![@](p.jpg) |\n| x | ![@](q.jpg) |",
    "[![@](r.jpg)](link) **![@](s.jpg)**",
    "![@][ref]\n\n[ref]: t.jpg",
    '<div>\n  <img@ src="u.jpg">\n</div>',
    'inline <img@ src="v.jpg"> and <img alt="" src="v.jpg">',
    "<!-- ![](w.jpg) <img src=w.jpg> -->",
    "a\tb ![@](x.jpg)  \nnext ![@](x.jpg)",
    "\t* ![@](no.jpg)".replace("@", ""),
    "ü 漢 \u2028 ![@](z.jpg)",
    "1. ![@](1.jpg)\n2. ![@](2.jpg)\n   ![@](3.jpg)",
]


def put_together(pieces: list[str], between: str) -> tuple[str, list[int]]:
    """The document, and the places of its gaps."""
    parts = between.join(pieces).split("@")
    places = [sum(map(len, parts[: n + 1])) for n in range(len(parts) - 1)]
    return "".join(parts), places


@settings(deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(HTML_PIECES), max_size=12))
def test_every_gap_in_html_and_no_other(pieces: list[str]) -> None:
    if "<p" in pieces:  # an open tag takes in what follows: it is to be closed at once
        pieces = [piece + (">" if piece == "<p" else "") for piece in pieces]
    document, places = put_together(pieces, "")
    assert [gap.place for gap in in_html.gaps(document)] == places
    for gap in in_html.gaps(document):
        assert gap.line == document.count("\n", 0, gap.place) + 1


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from(MARKDOWN_PIECES), max_size=8), st.sampled_from(["\n", "\r\n", "\r"])
)
def test_every_gap_in_markdown_and_no_other(pieces: list[str], newline: str) -> None:
    pieces = [piece for piece in pieces if not piece.startswith("\t")]
    document, places = put_together(["\n\n<!-- -->\n\n".join(pieces)], "")
    for at in range(len(places)):  # a newline may be two characters
        places[at] += document.count("\n", 0, places[at]) * (len(newline) - 1)
    document = document.replace("\n", newline)
    found = list(in_markdown.gaps(document))
    assert sorted(gap.place or -1 for gap in found) == places
    for gap in found:
        assert gap.line == document.count(newline, 0, gap.place) + 1


class Alts(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.alts: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.alts.append(dict(attrs).get("alt", None))


TEXTS = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"]) | st.just(" "), min_size=1
).map(lambda text: " ".join(text.split()) or "x")


@settings(deadline=None, derandomize=True)
@given(text=TEXTS)
def test_a_text_comes_out_of_html_as_it_was_put_in(text: str) -> None:
    document = "<p><img src=a.jpg><img alt='' src=b.jpg>"
    (gap,) = in_html.gaps(document)
    after = filled(document, {gap: text})
    assert Alts(after).alts == [text, ""]
    assert re.sub(r' alt="[^"]*"', "", after, count=1) == document
    assert after.isascii()


@settings(deadline=None, derandomize=True)
@given(text=TEXTS)
def test_a_text_comes_out_of_markdown_as_it_was_put_in(text: str) -> None:
    document = "before ![](a.jpg) | after\n"
    (gap,) = in_markdown.gaps(document)
    after = filled(document, {gap: text})
    assert after.startswith("before ![") and after.endswith("](a.jpg) | after\n")
    (token,) = (t for t in parser().parse(after) if t.type == "inline")
    (image,) = (t for t in token.children or [] if t.type == "image")
    alt = "".join(child.content for child in image.children or [])
    assert alt == text
    assert not list(in_markdown.gaps(after))


def test_another_markdown_reads_the_same_text() -> None:
    document = "A ![](a.jpg) picture.\n"
    (gap,) = in_markdown.gaps(document)
    after = filled(document, {gap: "A dog [really] runs *fast*."})
    assert Alts(other_markdown.markdown(after)).alts == ["A dog [really] runs *fast*."]


def test_what_a_page_shows_when_it_loads_late() -> None:
    sources = {
        '<img src="a.jpg" data-src="b.jpg">': "a.jpg",
        '<img data-src="b.jpg">': "b.jpg",
        '<img src="data:image/gif;base64,R0lGOD" data-original="c.jpg">': "c.jpg",
        '<img srcset="d.jpg 1x, e.jpg 2x">': "d.jpg",
        '<img src="a&amp;b.jpg">': "a&b.jpg",
        "<img>": "",
    }
    for page, source in sources.items():
        assert [gap.source for gap in in_html.gaps(page)] == [source]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    (root / "img").mkdir(parents=True)
    (root / "blog").mkdir()
    (root / "node_modules").mkdir()
    (root / ".git").mkdir()
    Image.new("RGB", (4, 3)).save(root / "img" / "a b.jpg")
    Image.new("RGB", (8, 6)).save(root / "blog" / "c.png")
    (root / "img" / "bad.jpg").write_bytes(b"")
    (root / "index.html").write_bytes(
        b"\xef\xbb\xbf<!doctype html>\r\n<img src=/img/a%20b.jpg?v=3#x>\n"
        b'<img src="img/a b.jpg" alt="">\r<img src=img/bad.jpg><img src=gone.jpg>\n'
        b"<img src=https://elsewhere.org/x.jpg><img src=//cdn.org/y.jpg><img src=blog/c.png />"
        b"\xff not UTF-8 \x00 at all"
    )
    (root / "blog" / "post.md").write_bytes(b"# Hello\r\n\r\n![](c.png)\r\n![](/img/a%20b.jpg)\r\n")
    (root / "blog" / "fine.md").write_text("![a dog](c.png)\n")
    for hidden in ("node_modules/x.html", ".git/y.html"):
        (root / hidden).write_text("<img src=z.jpg>")
    return tmp_path


def alt(site: Path, *arguments: object) -> tuple[int | None, str]:
    code = process.run(["alt", *arguments], site)
    return code, (site / "said.txt").read_text()


def test_the_table_names_every_gap_and_changes_nothing(site: Path) -> None:
    before = {path: path.read_bytes() for path in site.rglob("*.*") if path.is_file()}
    code, said = alt(site, "site")
    assert code == 1  # gone.jpg and bad.jpg
    rows = [re.split("  +", line) for line in said.splitlines()]
    assert rows == [
        ["where", "picture", "proposed text"],
        ["site/index.html:2", "/img/a%20b.jpg?v=3#x", "A photo 4 by 3."],
        ["site/index.html:3", "img/bad.jpg", "[is empty (0 bytes); copy or download it again]"],
        ["site/index.html:3", "gone.jpg", "[there is no such file; check the name]"],
        *(
            [
                "site/index.html:4",
                name,
                "[lies on another server; download it to have it described]",
            ]
            for name in ("https://elsewhere.org/x.jpg", "//cdn.org/y.jpg")
        ),
        ["site/index.html:4", "blog/c.png", "A photo 8 by 6."],
        ["site/blog/post.md:3", "c.png", "A photo 8 by 6."],
        ["site/blog/post.md:4", "/img/a%20b.jpg", "A photo 4 by 3."],
    ]
    for path, data in before.items():
        assert path.name == "said.txt" or path.read_bytes() == data


def test_write_changes_those_attributes_and_no_other_byte(site: Path) -> None:
    page, post = site / "site" / "index.html", site / "site" / "blog" / "post.md"
    page.chmod(0o640)
    before = page.read_bytes()
    code, said = alt(site, "site", "--write", "--before", "Ü: ")
    assert code == 1 and "4 texts written into 2 files, 4 left to you" in said
    assert page.read_bytes() == before.replace(
        b"<img src=/img", b'<img alt="&#220;: A photo 4 by 3." src=/img'
    ).replace(b"<img src=blog", b'<img alt="&#220;: A photo 8 by 6." src=blog')
    assert page.stat().st_mode & 0o777 == 0o640
    assert post.read_bytes().decode() == (
        "# Hello\r\n\r\n![Ü: A photo 8 by 6.](c.png)\r\n![Ü: A photo 4 by 3.](/img/a%20b.jpg)\r\n"
    )
    after = page.read_bytes()
    alt(site, "site", "--write")
    assert page.read_bytes() == after


def test_check_is_for_ci_and_needs_no_model(site: Path) -> None:
    code, said = alt(site, "--check", "site/blog")
    assert code == 1 and "site/blog/post.md:3" in said and "photo" not in said
    none = (0, "captioner: no picture there lacks a text\n")
    assert alt(site, "--check", "site/blog/fine.md") == none
    (site / "site" / "index.html").unlink()
    alt(site, "site", "--write")
    assert alt(site, "--check", "site") == none
    assert alt(site, "--check", "--write", "site")[0] == 2


def test_other_ways_to_print(site: Path) -> None:
    _, said = alt(site, "site/blog", "--format", "jsonl")
    assert json.loads(said.splitlines()[0]) == {
        "file": "site/blog/post.md",
        "line": 3,
        "picture": "c.png",
        "text": "A photo 8 by 6.",
    }
    _, said = alt(site, "site/blog/post.md", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(said)))
    assert [row["text"] for row in rows] == ["A photo 8 by 6.", ""]
    assert rows[1]["problem"], "/img is not below site/blog"
    (site / "=1+1.md").write_text('![](@site/a.png) ![](=HYPERLINK("x"))\n')
    _, said = alt(site, "--check", "=1+1.md", "--format", "csv")
    for row in csv.DictReader(io.StringIO(said)):
        assert row["file"] == "'=1+1.md" and row["picture"][:2] in ("'@", "'=")


def test_a_base_and_utf_16(site: Path) -> None:
    page = site / "site" / "base.html"
    page.write_text('<base href="/img/"><img src="a b.jpg">', encoding="utf-16")
    before = page.read_bytes()
    alt(site, "site", "--write")
    text = before.decode("utf-16").replace("<img", '<img alt="A photo 4 by 3."')
    assert page.read_bytes() == before[:2] + text.encode("utf-16-le")


def test_a_page_that_cannot_be_read_is_named_and_the_others_go_on(site: Path) -> None:
    for page in ("blog/fine.md", "index.html"):
        (site / "site" / page).unlink()
    (site / "site" / "odd.html").write_bytes(b"\xff\xfe<\x00i")
    (site / "site" / "gone.html").symlink_to("nowhere")
    code, said = alt(site, "site", "--write")
    assert code == 1 and "2 texts written into 1 file" in said
    assert "captioner: site/odd.html: is not text in UTF-16; save it as UTF-8" in said
    assert "captioner: site/gone.html: there is no such file" in said
    (site / "site" / "blog" / "post.md").unlink()
    code, said = alt(site, "--check", "site")
    assert code == 1 and "no picture there lacks" not in said and "site/odd.html: is not" in said


def test_markup_that_the_parser_does_not_know_is_no_end(site: Path) -> None:
    (site / "a.html").write_text("<![foo[bar]]><img src=site/blog/c.png>")
    (site / "b.md").write_text("<![foo[bar]]>\n\n![](site/blog/c.png)\n")
    for page in ("a.html", "b.md"):
        code, said = alt(site, page)
        assert code == 0 and "A photo 8 by 6." in said


@pytest.mark.parametrize("source", ["//[cdn]/x.png", "http://[broken"])
def test_an_address_that_is_none(site: Path, source: str) -> None:
    (site / "a.html").write_text(f"<img src={source}><img src=site/blog/c.png>")
    (site / "b.html").write_text('<base href="//[x]/"><img src=c.png>')
    code, said = alt(site, "a.html", "b.html")
    # Python 3.10 takes [cdn] for the name of a server
    told = re.findall(r"\[its address cannot be read; correct it\]|\[lies on another server", said)
    assert code == 0 and len(told) == 2
    assert source in said and "A photo 8 by 6." in said


def test_an_address_with_other_bytes_is_printed_as_it_is(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    (site / "a.html").write_bytes("<img src=café.jpg>".encode("latin-1"))
    for format, shown in {"table": b"caf\xe9", "csv": b"caf\xe9", "jsonl": b"caf\\udce9"}.items():
        words = ["-m", "captioner", "alt", "--check", "--format", format, "a.html"]
        done = subprocess.run([sys.executable, *words], cwd=site, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (1, b"") and shown in done.stdout


def test_a_name_does_not_steer_the_terminal(site: Path) -> None:
    page = "\x1b[31mred\x07.html"
    (site / page).write_text("<img src='\x1b]0;title\x07.jpg'>")
    (site / "\x1b[2J.vue").write_text("<img src=a.jpg>")
    code, said = alt(site, "--check", ".")
    assert code == 1 and "\x1b" not in said and "\x07" not in said
    assert r"\x1b[31mred\x07.html:1" in said and r"\x1b]0;title\x07.jpg" in said
    assert r"\x1b[2J.vue: is not looked into" in said


def test_a_page_changed_meanwhile_is_left_as_it_is(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = [site / name for name in ("a.html", "b.html", "c.html")]
    for page in pages:
        page.write_text("<img src=a.jpg>")
    found = [page for page in documents(map(str, pages)) if isinstance(page, Document)]
    pages[0].write_text("<p>edited</p><img src=a.jpg>")
    pages[1].unlink()
    done = command._write([replace(each, text="A dog.") for each in findings(found)])
    assert not done
    assert pages[0].read_text() == "<p>edited</p><img src=a.jpg>" and not pages[1].exists()
    assert pages[2].read_text() == '<img alt="A dog." src=a.jpg>'
    said = capsys.readouterr().err.splitlines()
    for page, line in zip(pages[:2], said, strict=False):
        assert line.startswith(f"captioner: {page}: ")
    assert said[0].endswith(": was changed meanwhile and is left as it is; run again.")
    assert said[2] == "captioner: 1 text written into 1 file, 2 left to you"
    found[2].write({found[2].gaps[0]: "A dog."})  # what is written already is no change


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone", "no such"),
        ("https://example.org", "web address"),
        ("a.txt", "neither HTML"),
        (".", "no HTML or Markdown in this folder"),
    ],
)
def test_what_is_no_document_is_said(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "a.txt").touch()
    target = name if "://" in name else str(tmp_path / name)
    with pytest.raises(CaptionerError, match=message):
        list(documents([target]))
    assert Gap("a", 1, None, "html").filling("x") == ' alt="x"'


def test_a_text_that_the_model_is_unsure_of_is_left_to_a_person(site: Path) -> None:
    pages = [page for page in documents([str(site / "site/blog")]) if isinstance(page, Document)]
    for finding in findings(pages):
        for sure, written in ((None, True), (0.3, True), (0.29, False)):
            caption = replace(sentence("a", "dog"), confidence=sure)
            row = command._described(
                finding, {str(finding.picture): PhotoResult("x", caption)}, 0.3
            )
            assert row.text == "A dog." and (row.filling == "A dog.") is written
            assert written or row.problem.startswith("unsure (0.29); look at it")
        break
