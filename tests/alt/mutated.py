"""Pages that are damaged at random, and what must hold when `alt` writes into them."""

from pathlib import Path
from random import Random

from captioner.alt import in_html
from captioner.alt.documents import Document, documents
from captioner.alt.findings import findings

HTML = b"""\xef\xbb\xbf<!doctype html><html><head><base href="./"><title>x</title></head><body>\r
<figure><a href=/><img src="a.jpg" width=3></a><figcaption> </figcaption></figure>\r
<img src='a.jpg' title=""><IMG\n SRC=a.jpg />
<picture><source srcset=b><img srcset="a.jpg 1x"></picture>
<script>'<img src=a.jpg>'</script><!-- <img src=a.jpg> --><svg><image href=a.jpg /></svg>
{{< figure src="a.jpg" >}}{% include image.html src="a.jpg" %}
<table><tr><td><img src=a.jpg></table>
<p>Gr\xfc\xc3\xbc\xe2\x80\xa8\x00</p><textarea><img src=a.jpg></textarea><img alt="" src=a.jpg>
"""
MARKDOWN = b"""---\ntitle: "![](a.jpg)"\n---\r
# Head ![](a.jpg) #

> quote ![](a.jpg)
> - ![][v] [![](a.jpg)](/)

| a | b |
|---|---|
| ![](a.jpg) | ![](a.jpg "t") |

1. ![](<a.jpg>)

   ![]( {{ site.baseurl }}/a.jpg )

```
![](a.jpg)
```

<div>
<img src="a.jpg">
</div>

![[a.jpg|200]] <img src={x} /> `![](a.jpg)`
{{< figure src="a.jpg" >}} text[^1] ![](a.jpg){width=3}

[^1]: ![](a.jpg)

[v]: a.jpg
\xe2\x80\xa8\xff
"""
PIECES = (
    *(b"<", b">", b'"', b"'", b"`", b"!", b"[", b"]", b"(", b")", b"{", b"}", b"\\", b"|", b"\x00"),
    *(
        b"<img ",
        b"![](a.jpg)",
        b"-->",
        b"<!--",
        b"{{<",
        b">}}",
        b"{%",
        b"%}",
        b"\r",
        b"\n",
        b"\n\n",
    ),
    *(
        b"<svg>",
        b"<textarea>",
        b"</a>",
        b"<table>",
        b"<![CDATA[",
        b"\xff",
        b"\xc3",
        b"    ",
        b"\t> ",
    ),
    *(
        b"alt",
        b"<template>",
        b"<select>",
        b"&",
        b"&lt;",
        b"\xf0\x9f\x98\x80",
        b"\xe2\x80\xa9",
        b"```",
    ),
)
TEXT = 'A "dog" & <cat> [on] *a* `mat` | \\ ]] >}} \' -->'


def page(chance: Random) -> tuple[str, bytes]:
    """A name, and a damaged page for it."""
    name = chance.choice(("page.html", "page.md", "page.mdx"))
    data = bytearray(HTML if name.endswith("html") else MARKDOWN)
    for _ in range(chance.randint(1, 30)):
        at = chance.randrange(len(data) + 1)
        length = chance.choice((0, 0, 1, 3, 20))
        data[at : at + length] = chance.choice((b"", *PIECES))
    if chance.random() < 0.1:
        return name, b"\xff\xfe" + data.decode("latin-1").encode("utf-16-le")
    return name, bytes(data)


def check(folder: Path, name: str, data: bytes) -> int:
    """Write a text into each of the page's gaps: nothing is lost, and only the texts are added.

    How many they were.
    """
    path, count = folder / name, 0
    path.write_bytes(data)
    for document in documents([str(path)]):
        assert isinstance(document, Document), document
        found = list(findings([document]))
        texts = {each.gap: TEXT for each in found if each.gap.place is not None}
        document.write(texts)
        added = sorted((gap.place or 0, gap.filling(TEXT)) for gap in texts)
        after = document.text
        for place, filling in reversed(added):
            after = after[:place] + filling + after[place:]
        assert path.read_bytes() == after.encode(document.encoding, "surrogateescape")
        back = path.read_bytes().decode(document.encoding, "surrogateescape")
        for place, filling in added:
            assert back[place : place + len(filling)] == filling
            back = back[:place] + back[place + len(filling) :]
        assert back.encode(document.encoding, "surrogateescape") == data
        if name.endswith("html"):
            assert all(gap.place is None for gap in in_html.gaps(after)), "all are filled"
        count += len(added)
    path.unlink()
    return count
