"""Pictures in Markdown as Hugo, Jekyll, Docusaurus, Quarto, Obsidian and MyST write them."""

import time

import pytest

from captioner.alt import in_html, in_markdown
from captioner.alt.gaps import filled
from captioner.alt.template_tags import plain_address

# The document, with @ where the text goes in; the pictures that it lacks a text for.
KINDS = {
    "![@]({{ site.baseurl }}/a.jpg) ![@]({{site.baseurl}}/b.jpg)": [
        "{{ site.baseurl }}/a.jpg",
        "{{site.baseurl}}/b.jpg",
    ],
    "![@]({% link images/a.jpg %}) [![@]({{ '/b.jpg' | relative_url }} )](/x)": [
        "{% link images/a.jpg %}",
        "{{ '/b.jpg' | relative_url }}",
    ],
    "![@](my photo.jpg) ![words](my photo.jpg) ![@](a.jpg =100x50)": ["my photo.jpg", "a.jpg"],
    "![@][one] ![@][two] ![@][none]\n\n[one]: a.jpg\n[two]: {{ site.url }}/b.jpg": [
        "a.jpg",
        "{{ site.url }}/b.jpg",
        "",
    ],
    '{{< figure@ src="a.jpg" >}} {{% figure@ src=b.jpg class="x" %}}': ["a.jpg", "b.jpg"],
    '{{< figure@\n    src="a.jpg"\n    width="10" >}}': ["a.jpg"],
    '<div>\n{{< figure@ src="a.jpg" >}}\n</div>': ["a.jpg"],
    '{{< figure src="a.jpg" alt="" >}} {{< figure src="a.jpg" caption="A vase" >}}': [],
    '`{{< figure src="a.jpg" >}}` {{</* figure src="a.jpg" */>}} {{< /figure >}}': [],
    '```\n{{< figure src="a.jpg" >}}\n```\n\n<!-- {{< figure src="a.jpg" >}} -->': [],
    "![[a.jpg@]] ![[b.png@|300]] ![[c.png|A vase]] ![[c.png|A vase|300]] ![[Some note]]": [
        "a.jpg",
        "b.png",
    ],
    '<img@ src={require("./a.jpg").default} />': ['{require("./a.jpg").default}'],
    "a line <Image@ src={a} onClick={() => `>`} />": ["{a}"],
    'a line <img src={a} alt={b} /> <Image src={a} {...rest} /> <img src={a} title="x" />': [],
    "text[^1]\n\n[^1]: ![@](a.jpg)": ["a.jpg"],
    '<div markdown="1">\n![@](a.jpg "")\n<!-- ![](b.jpg) --> <code>![](c.jpg)</code>\n</div>': [
        "a.jpg"
    ],
    "<Card>\n![@](a.jpg) ![words](b.jpg)\n</Card>": ["a.jpg"],
    "---\ncover: '![](a.jpg)'\n---\n\n![@](b.jpg)": ["b.jpg"],
    "![![](a.jpg)](b.jpg) ![@ ](c.jpg) ![@&nbsp;](d.jpg)": ["b.jpg", "c.jpg", "d.jpg"],
    "use a <title> and <textarea> here\n\n![@](a.jpg)": ["a.jpg"],
    "<title>\n\n![@](a.jpg)": ["a.jpg"],
}
LISTED = {  # seen, and left to a person
    '{% include image.html src="a.jpg" %}': ["a.jpg"],
    '{% include figure image_path="/a.jpg" %}': ["/a.jpg"],
    '{{< img "a.jpg" >}} {{< img "b.jpg" "Words" >}}': ["a.jpg"],
    '{% image "./a.jpg" %} {% image "./b.jpg", "" %}': ["./a.jpg"],
    "```{figure} a.jpg\n:width: 10\n```\n\n```{figure} b.jpg\n:alt: A vase\n```": ["a.jpg"],
    "```{figure} b.jpg\nA caption\n```\n\n:::{figure} a.jpg\n:::": ["a.jpg"],
    ":::{figure} b.jpg\nA caption\n:::": [],
}


@pytest.mark.parametrize("marked", KINDS)
def test_a_text_goes_into_every_kind(marked: str) -> None:
    document = marked.replace("@", "")
    gaps = list(in_markdown.gaps(document))
    assert [gap.source for gap in gaps] == KINDS[marked]
    after = filled(document, dict.fromkeys(gaps, "A vase"))
    texts = {"shortcode": ' alt="A vase"', "html": ' alt="A vase"', "wiki": "|A vase"}
    for gap in gaps if "![![" not in marked else []:
        marked = marked.replace("@", texts.get(gap.kind, "A vase"), 1)
    if "![![" not in marked:
        assert after == marked
    assert [gap.source for gap in in_markdown.gaps(after)] == [], "and is then no gap"


@pytest.mark.parametrize("document", LISTED)
def test_what_cannot_be_filled_is_listed(document: str) -> None:
    gaps = list(in_markdown.gaps(document))
    assert [(gap.source, gap.place) for gap in gaps] == [(name, None) for name in LISTED[document]]


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("{{ site.baseurl }}/a.jpg", "/a.jpg"),
        ("{{site.url}}{{site.baseurl}}/a.jpg", "/a.jpg"),
        ("{{ .Site.BaseURL }}img/a.jpg", "/img/a.jpg"),
        ('{{ "/a.jpg" | relative_url }}', "/a.jpg"),
        ("{{ 'a.jpg' | absURL }}", "a.jpg"),
        ('{{ relURL "a.jpg" }}', "a.jpg"),
        ("{% link img/a.jpg %}", "/img/a.jpg"),
        ('{require("./a.jpg").default}', "./a.jpg"),
        ("{useBaseUrl('/img/a.jpg')}", "/img/a.jpg"),
        ("//cdn.org/a.jpg", "//cdn.org/a.jpg"),
        ("a.jpg", "a.jpg"),
        ("{{ page.cover }}", None),
        ("{{ url_for('static', filename='x.jpg') }}", None),
        ("<?php echo $x ?>", None),
        ("{photo}", None),
    ],
)
def test_addresses_that_a_template_makes(address: str, plain: str | None) -> None:
    assert plain_address(address) == plain


HOSTILE = {
    "<img ": 20_000,
    "![": 12_000,
    "![](": 12_000,
    "{{<": 12_000,
    "<img a={": 6_000,
    "![](a)\n": 3_000,
    "<div><img>": 5_000,
    "<a href=x><figure><img>": 3_000,
    "<!--": 25_000,
    "<script>": 12_000,
}


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_page_made_to_be_slow(piece: str) -> None:
    """Each took a fifth of a second of the processor; what is quadratic would take minutes."""
    document = piece * HOSTILE[piece] + ">"
    started = time.process_time()
    list(in_html.gaps(document))
    list(in_markdown.gaps(document))
    assert time.process_time() - started < 5
