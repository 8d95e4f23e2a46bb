"""XMP sidecars: a caption where photo managers and screen readers look for it.

XMP is Adobe's RDF in XML (ISO 16684-1); `dc:description` is the caption, and since 2021 the IPTC
has `Iptc4xmpCore:AltTextAccessibility` for the alternative text. Whatever else stands in a sidecar
(stars, keywords, a developer's settings) stays as it is.
"""

from __future__ import annotations

from typing import Any
from xml.dom.minidom import Document, Node
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
        for node in _forms(document, name):
            if text := _text(node).strip():
                return text
    return ""


def merged(sidecar: bytes, text: str) -> bytes:
    """The sidecar with this caption, in both properties; all else is kept. Raises NotXmp.

    One without any content, b"" say, becomes a new one.
    """
    document = _parsed(sidecar if sidecar.strip() else _EMPTY.encode())
    legal = "".join(c for c in text if c >= " " or c in "\t\n")  # of which XML may hold
    for name in PROPERTIES:
        _set(document, name, legal)
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


def _forms(document: Document, name: str) -> list[Any]:
    """The property wherever it stands: in its short form, an attribute, and as an element."""
    wanted = (PROPERTIES[name], name.partition(":")[2])
    subjects = _subjects(document)
    children = (node for subject in subjects for node in subject.childNodes)
    return [
        *filter(None, (subject.getAttributeNodeNS(*wanted) for subject in subjects)),
        *(node for node in children if (node.namespaceURI, node.localName) == wanted),
    ]


def _set(document: Document, name: str, text: str) -> None:
    """Make `text` the property's value for readers of any language; other languages stay. No reader
    takes a property that is twice."""
    texts = {"x-default": text}
    for node in _forms(document, name):
        if node.nodeType == Node.ATTRIBUTE_NODE:
            node.ownerElement.removeAttributeNode(node)
            continue
        for item in node.getElementsByTagNameNS(RDF, "li"):
            texts.setdefault(item.getAttribute("xml:lang") or "x-default", _text(item))
        node.parentNode.removeChild(node)
    owner = _subjects(document)[0].appendChild(document.createElementNS(PROPERTIES[name], name))
    owner.setAttribute(f"xmlns:{name.partition(':')[0]}", PROPERTIES[name])
    languages = owner.appendChild(document.createElementNS(RDF, "rdf:Alt"))
    languages.setAttribute("xmlns:rdf", RDF)
    for language, said in texts.items():
        item = languages.appendChild(document.createElementNS(RDF, "rdf:li"))
        item.setAttribute("xml:lang", language)
        item.appendChild(document.createTextNode(said))


def _text(node: Any) -> str:
    if node.nodeType == Node.ATTRIBUTE_NODE:
        return str(node.value)
    if node.nodeType in (Node.TEXT_NODE, Node.CDATA_SECTION_NODE):
        return str(node.data)
    return "".join(map(_text, node.childNodes))
