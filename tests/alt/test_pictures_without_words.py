"""Pictures that have a name without `alt`, or need none."""

from pathlib import Path

import pytest
from PIL import Image

from captioner.alt import in_html, in_markdown
from captioner.alt.documents import Document, documents
from captioner.alt.findings import findings, is_blank

NEEDS_NONE = [
    '<img src=a.jpg role="presentation">',
    "<img src=a.jpg role=None>",
    '<img src=a.jpg aria-hidden="true">',
    '<div aria-hidden="TRUE"><p><img src=a.jpg></p></div>',
    '<img src=a.jpg aria-label="A label">',
    '<span id=l>A label</span><img src=a.jpg aria-labelledby="l">',
    '<img src=a.jpg title="A title">',
    '<a href="/" aria-label="Home"><img src=a.jpg></a>',
    '<a href="/" title="Home"><img src=a.jpg></a>',
    '<a href="/"><span><img src=a.jpg></span> Home</a>',
    '<a href="/"><img src=a.jpg alt="Home"><img src=b.jpg></a>',
    "<button><img src=a.jpg>Send</button>",
    '<div role="button"><img src=a.jpg>Send</div>',
    "<figure><img src=a.jpg><figcaption>A <b>vase</b></figcaption></figure>",
    '<figure aria-label="A vase"><a href="/"><img src=a.jpg></a></figure>',
    '<span role="img" aria-label="Five stars"><img src=a.jpg><img src=a.jpg></span>',
]
NEEDS_ONE = [
    "<img src=a.jpg role=img>",
    "<img src=a.jpg aria-hidden=false>",
    '<img src=a.jpg aria-label=" " title="">',
    '<a href="/"><img src=a.jpg></a>',
    '<a href="/"><img src=b.jpg alt=""> <img src=a.jpg></a>',
    '<a name="top"><img src=a.jpg> Not a link</a>',
    '<a href="/">Before</a><img src=a.jpg><a href="/">after</a>',
    "<figure><img src=a.jpg><figcaption> </figcaption></figure>",
    "<figure><img src=a.jpg></figure><figcaption>Outside</figcaption>",
    '<div aria-label="A part of the page"><img src=a.jpg>With words</div>',
    "<figure>Words, but no caption <img src=a.jpg></figure>",
    "<button><img src=a.jpg><script></script></button>",
]


@pytest.mark.parametrize("page", NEEDS_NONE)
def test_a_picture_that_is_named_or_hidden_is_left_alone(page: str) -> None:
    assert not list(in_html.gaps(page))
    assert not list(in_markdown.gaps(f"before\n\n{page}\n\nafter"))
    assert not list(in_markdown.gaps(f"in a line: {page}"))


@pytest.mark.parametrize("page", NEEDS_ONE)
def test_a_picture_without_a_name_is_a_gap(page: str) -> None:
    for found in (in_html.gaps(page), in_markdown.gaps(f"in a line: {page}")):
        assert [gap.source for gap in found] == ["a.jpg"]


def test_markdown_around_a_picture_may_name_it() -> None:
    named = [
        "[![](a.jpg) Home](/)",
        '![](a.jpg "A title")',
        '![](a.jpg){fig-alt="A vase" width=50}',
        '![](a.jpg){: alt="A vase"}',
        '![](a.jpg){fig-alt=""}',
        "<figure>\n\n![](a.jpg)\n\n<figcaption>A vase</figcaption>\n</figure>",
    ]
    for document in named:
        assert not list(in_markdown.gaps(document)), document
    for document in (
        "[![](a.jpg)](/)",
        "![](a.jpg){width=50}",
        "<figure>\n\n![](a.jpg)\n</figure>",
    ):
        assert len(list(in_markdown.gaps(document))) == 1, document


@pytest.mark.parametrize(
    ("size", "blank"),
    [
        ((1, 1), True),
        ((1, 600), True),
        ((600, 4), True),
        ((2, 90), True),
        ((16, 320), True),
        ((4, 3), False),
        ((16, 16), False),
        ((728, 90), False),
        ((320, 17), False),
    ],
)
def test_dots_and_rules(tmp_path: Path, size: tuple[int, int], blank: bool) -> None:
    Image.new("RGB", size).save(tmp_path / "a.png")
    assert is_blank(tmp_path / "a.png") is blank


def found(page: Path) -> list[tuple[str, bool]]:
    pages = [each for each in documents([str(page)]) if isinstance(each, Document)]
    return [(each.gap.source, each.blank) for each in findings(pages)]


def test_a_blank_picture_is_called_decorative_where_that_is_to_be_written(tmp_path: Path) -> None:
    Image.new("RGB", (600, 4)).save(tmp_path / "rule.png")
    Image.new("RGB", (60, 40)).save(tmp_path / "photo.png")
    (tmp_path / "broken.png").write_bytes(b"GIF")
    (tmp_path / "a.html").write_text(
        "<img src=rule.png><img src=photo.png><img src=//stats.org/x.gif width=1px height=1>"
        "<img src=broken.png><img src=gone.png>"
    )
    assert found(tmp_path / "a.html") == [
        ("rule.png", True),
        ("photo.png", False),
        ("//stats.org/x.gif", True),
        ("broken.png", False),
        ("gone.png", False),
    ]
    (tmp_path / "b.md").write_text(
        "![](rule.png) ![](photo.png) <img src=rule.png> {{< figure src=rule.png >}} ![[rule.png]]"
    )
    sources = [("photo.png", False), ("rule.png", True), ("rule.png", True)]
    assert found(tmp_path / "b.md") == sources, "in Markdown no text is the empty text already"
