"""Documents as office programs write them, small."""

import io
import zipfile
import zlib

_XML = '<?xml version="1.0"?>'
_DC = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
_CP = "http://schemas.openxmlformats.org/package/2006/metadata/core-properties"
_ODF = "urn:oasis:names:tc:opendocument:xmlns"
CORE = (
    f'{_XML}<cp:coreProperties xmlns:cp="{_CP}" {_DC}><dc:title>Guide</dc:title>'
    "<dc:creator>{author}</dc:creator><cp:lastModifiedBy>{editor}</cp:lastModifiedBy>"
    "</cp:coreProperties>"
)
META = (
    f'{_XML}<office:document-meta xmlns:office="{_ODF}:office:1.0" xmlns:meta="{_ODF}:meta:1.0" '
    f"{_DC}><office:meta><meta:initial-creator>{{author}}</meta:initial-creator>"
    "<dc:creator>{editor}</dc:creator></office:meta></office:document-meta>"
)


def pdf(info: bytes = b"", more: bytes = b"", kind: bytes = b"") -> bytes:
    """A PDF of one empty page, with this in its information dictionary."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>",
        b"<<" + info + b">>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    out += more
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + (
        b"xref\n0 5\n0000000000 65535 f \n%strailer\n<</Size 5/Root 1 0 R/Info 4 0 R%s>>\n"
        b"startxref\n%d\n%%%%EOF\n" % (table, kind, len(out))
    )


def packed_object(content: bytes) -> bytes:
    """An object stream, in which newer PDFs keep their information (ISO 32000-1 7.5.7)."""
    squeezed = zlib.compress(b"4 0 " + content)
    head = b"9 0 obj\n<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length %d>>" % len(squeezed)
    return head + b"stream\r\n" + squeezed + b"\r\nendstream\nendobj\n"


def office(author: str, editor: str, *, kind: str = "docx") -> bytes:
    """A Word or Writer document that says no more than who wrote it."""
    out = io.BytesIO()
    name, text = ("meta.xml", META) if kind == "odt" else ("docProps/core.xml", CORE)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(name, text.format(author=author, editor=editor))
    return out.getvalue()
