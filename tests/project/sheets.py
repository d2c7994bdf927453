"""Spreadsheet files for tests, as programs write them, reduced to what must be there."""

from collections.abc import Sequence

from tests.project.moves import zipped

WORKBOOK = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def xlsx(sheets: dict[str, str], hidden: str = "", texts: Sequence[str] = ()) -> bytes:
    """A workbook as Excel writes it, reduced to what must be there."""
    listed = "".join(
        f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"'
        f"{' state=' + chr(34) + 'hidden' + chr(34) if name == hidden else ''}/>"
        for n, name in enumerate(sheets, 1)
    )
    related = "".join(
        f'<Relationship Id="r{n}" Type="{RELATION}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    related += f'<Relationship Id="rs" Type="{RELATION}/sharedStrings" Target="sharedStrings.xml"/>'
    shared = "".join(f"<si><t>{text}</t></si>" for text in texts)
    namespace = "http://schemas.openxmlformats.org/package/2006"
    return zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{namespace}/content-types"/>',
            "_rels/.rels": f'<Relationships xmlns="{namespace}/relationships"><Relationship '
            f'Id="r0" Type="{RELATION}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook {WORKBOOK} xmlns:r="{RELATION}">'
            f"<sheets>{listed}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{namespace}/relationships">'
            f"{related}</Relationships>",
            **{f"xl/worksheets/sheet{n}.xml": content
               for n, content in enumerate(sheets.values(), 1)},
            **({"xl/sharedStrings.xml": f"<sst {WORKBOOK}>{shared}</sst>"} if texts else {}),
        }
    )  # fmt: skip


def sheet(rows: list[list[str | int | float]]) -> str:
    lines = []
    for number, row in enumerate(rows, 1):
        cells = []
        for place, cell in enumerate(row):
            at = f"{chr(65 + place)}{number}"
            if isinstance(cell, str):
                cells.append(f'<c r="{at}" t="inlineStr"><is><t>{cell}</t></is></c>')
            else:
                cells.append(f'<c r="{at}"><v>{cell}</v></c>')
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    return f"<worksheet {WORKBOOK}><sheetData>{''.join(lines)}</sheetData></worksheet>"


def ods(table: str) -> bytes:
    names = ("office", "table", "text")
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in names
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    return zipped(
        {
            "mimetype": kind,
            "META-INF/manifest.xml": '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:'
            f'opendocument:xmlns:manifest:1.0"><manifest:file-entry manifest:full-path="/" '
            f'manifest:media-type="{kind}"/></manifest:manifest>',
            "content.xml": f"<office:document-content {spaces}><office:body><office:spreadsheet>"
            f'<table:table table:name="List">{table}</table:table></office:spreadsheet>'
            "</office:body></office:document-content>",
        }
    )


def ods_rows(rows: list[list[str | int | float]]) -> str:
    return "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p>'
            "</table:table-cell>"
            for cell in row
        )
        + "</table:table-row>"
        for row in rows
    )
