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
PROPERTIES = {
    "dc:description": "http://purl.org/dc/elements/1.1/",
    "Iptc4xmpCore:AltTextAccessibility": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
}

_EMPTY = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="captioner">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


class NotXmp(ValueError):
    """A sidecar that is there but holds no XMP."""


def description(packet: bytes) -> str:
    """What someone wrote about the photo in this sidecar or packet: the caption, else the
    alternative text; "" for neither. Raises NotXmp."""
    document = _parsed(packet)
    for name in PROPERTIES:
        for node in (*_attributes(document, name), *_elements(document, name)):
            if text := _text(node).strip():
                return text
    return ""


def merged(sidecar: bytes, text: str) -> bytes:
    """The sidecar with this caption, in both properties; all else is kept. Raises NotXmp.

    One without any content, b"" say, becomes a new one.
    """
    document = _parsed(sidecar if sidecar.strip() else _EMPTY.encode())
    for name in PROPERTIES:
        _set_default(document, _only_element(document, name), _legal(text))
    return b"".join(node.toxml(encoding="utf-8") + b"\n" for node in document.childNodes)


def _parsed(sidecar: bytes) -> Document:
    try:
        document: Document = parseString(sidecar)
    except (ExpatError, DefusedXmlException, ValueError, LookupError):
        raise NotXmp from None
    if not _subjects(document):
        raise NotXmp
    return document


def _subjects(document: Document) -> list[Any]:
    """The elements that hold the photo's properties; not those of pictures it is made of."""
    return [
        node
        for root in document.getElementsByTagNameNS(RDF, "RDF")
        for node in root.childNodes
        if (node.namespaceURI, node.localName) == (RDF, "Description")
    ]


def _elements(document: Document, name: str) -> list[Any]:
    wanted = (PROPERTIES[name], name.partition(":")[2])
    return [
        node
        for subject in _subjects(document)
        for node in subject.childNodes
        if (node.namespaceURI, node.localName) == wanted
    ]


def _attributes(document: Document, name: str) -> list[Any]:
    """The property in its short form, an attribute."""
    found = (
        subject.getAttributeNodeNS(PROPERTIES[name], name.partition(":")[2])
        for subject in _subjects(document)
    )
    return [attribute for attribute in found if attribute is not None]


def _only_element(document: Document, name: str) -> Any:
    """The property's one element, made if need be. No reader takes a property that is twice."""
    for attribute in _attributes(document, name):
        attribute.ownerElement.removeAttributeNode(attribute)
    there = _elements(document, name)
    for surplus in there[1:]:
        surplus.parentNode.removeChild(surplus)
    if there:
        return there[0]
    owner = _subjects(document)[0].appendChild(document.createElementNS(PROPERTIES[name], name))
    owner.setAttribute(f"xmlns:{name.partition(':')[0]}", PROPERTIES[name])
    return owner


def _text(node: Any) -> str:
    if node.nodeType == Node.ATTRIBUTE_NODE:
        return str(node.value)
    if node.nodeType in (Node.TEXT_NODE, Node.CDATA_SECTION_NODE):
        return str(node.data)
    return "".join(map(_text, node.childNodes))


def _set_default(document: Document, owner: Element, text: str) -> None:
    """Make `text` the property's value for readers of any language; other languages stay."""
    items: list[Any] = list(owner.getElementsByTagNameNS(RDF, "li"))
    default = next((i for i in items if i.getAttribute("xml:lang") in ("x-default", "")), None)
    if default is None:
        default = document.createElementNS(RDF, "rdf:li")
        default.setAttribute("xmlns:rdf", RDF)
        default.setAttribute("xml:lang", "x-default")
        _alternatives(document, owner, items).insertBefore(default, items[0] if items else None)
    for child in list(default.childNodes):
        default.removeChild(child)
    default.appendChild(document.createTextNode(text))


def _alternatives(document: Document, owner: Any, items: list[Any]) -> Any:
    """The element with a text for each language; what stood there without one goes."""
    if items:
        return items[0].parentNode
    for child in list(owner.childNodes):
        owner.removeChild(child)
    alternatives = owner.appendChild(document.createElementNS(RDF, "rdf:Alt"))
    alternatives.setAttribute("xmlns:rdf", RDF)
    return alternatives


def _legal(text: str) -> str:
    """Without the control characters that no XML may hold."""
    return "".join(c for c in text if c >= " " or c in "\t\n")
