"""XMP sidecars: a caption where photo managers and screen readers look for it.

XMP is Adobe's RDF in XML (ISO 16684-1); `dc:description` is the caption, and since 2021 the IPTC
has `Iptc4xmpCore:AltTextAccessibility` for the alternative text. Whatever else stands in a sidecar
(stars, keywords, a developer's settings) stays as it is.
"""

from __future__ import annotations

from typing import Any
from xml.dom.minidom import Document, Element, Node
from xml.parsers.expat import ExpatError

from defusedxml import DefusedXmlException
from defusedxml.minidom import parseString

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XML = "http://www.w3.org/XML/1998/namespace"
PROPERTIES = {
    "dc:description": "http://purl.org/dc/elements/1.1/",
    "Iptc4xmpCore:AltTextAccessibility": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
}

_EMPTY = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="captioner">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/">
   <dc:description>
    <rdf:Alt><rdf:li xml:lang="x-default"/></rdf:Alt>
   </dc:description>
   <Iptc4xmpCore:AltTextAccessibility>
    <rdf:Alt><rdf:li xml:lang="x-default"/></rdf:Alt>
   </Iptc4xmpCore:AltTextAccessibility>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


class NotXmp(ValueError):
    """A sidecar that is there but holds no XMP."""


def new(text: str) -> bytes:
    """A sidecar with this caption alone."""
    return merged(_EMPTY.encode(), text)


def has_caption(sidecar: bytes) -> bool:
    """Whether someone described the photo in this sidecar. Raises NotXmp."""
    document = _parsed(sidecar)
    return any(_text(p).strip() for name in PROPERTIES for p in _properties(document, name))


def merged(sidecar: bytes, text: str) -> bytes:
    """The sidecar with this caption, in both properties; all else is kept. Raises NotXmp."""
    document = _parsed(sidecar)
    description = document.getElementsByTagNameNS(RDF, "Description")[0]
    for name, namespace in PROPERTIES.items():
        there = _properties(document, name)
        for surplus in there[1:]:
            surplus.parentNode.removeChild(surplus)
        if there:
            owner = there[0]
        else:
            owner = description.appendChild(document.createElementNS(namespace, name))
            owner.setAttribute(f"xmlns:{name.partition(':')[0]}", namespace)
        _set_default(document, owner, _legal(text))
    return b"".join(node.toxml(encoding="utf-8") + b"\n" for node in document.childNodes)


def _parsed(sidecar: bytes) -> Document:
    try:
        document: Document = parseString(sidecar)
    except (ExpatError, DefusedXmlException, ValueError, LookupError):
        raise NotXmp from None
    if not document.getElementsByTagNameNS(RDF, "Description"):
        raise NotXmp
    return document


def _properties(document: Document, name: str) -> list[Any]:
    return list(document.getElementsByTagNameNS(PROPERTIES[name], name.partition(":")[2]))


def _text(node: Any) -> str:
    if node.nodeType in (Node.TEXT_NODE, Node.CDATA_SECTION_NODE):
        return str(node.data)
    return "".join(map(_text, node.childNodes))


def _set_default(document: Document, owner: Element, text: str) -> None:
    """Make `text` the property's value for readers of any language; other languages stay."""
    items: list[Any] = list(owner.getElementsByTagNameNS(RDF, "li"))
    if not items:
        for child in list(owner.childNodes):
            owner.removeChild(child)
        alternatives = owner.appendChild(document.createElementNS(RDF, "rdf:Alt"))
        alternatives.setAttribute("xmlns:rdf", RDF)
        items = [alternatives.appendChild(document.createElementNS(RDF, "rdf:li"))]
        items[0].setAttribute("xml:lang", "x-default")
    default = next((i for i in items if i.getAttribute("xml:lang") == "x-default"), items[0])
    for child in list(default.childNodes):
        default.removeChild(child)
    default.appendChild(document.createTextNode(text))


def _legal(text: str) -> str:
    """Without the control characters that no XML may hold."""
    return "".join(c for c in text if c >= " " or c in "\t\n")
