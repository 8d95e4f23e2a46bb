"""What options of its own `captioner caption` has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Format = Literal[
    "text", "jsonl", "json", "csv", "tsv", "parquet", "coco", "sidecar", "xmp", "embed"
]  # fmt: skip
ROW = "path, caption, score, confidence, words, alternatives, size, bytes, sha256, model, error"
FORMAT = (
    "text: path<TAB>caption; jsonl: one JSON object a line; json: a list of them; csv; tsv;"
    " parquet; coco: COCO results; sidecar: photo.txt beside photo.jpg; xmp: photo.jpg.xmp beside"
    " it; embed: in the photo's own metadata, no pixel changed. Left out: what --output ends in,"
    " else text."
)


FormatOption = Annotated[Format | None, typer.Option(metavar="FORMAT", help=FORMAT)]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="PATH", help="Write here: a file, or the folder of the sidecars."
    ),
]
FieldsOption = Annotated[
    str | None,
    typer.Option(metavar="NAMES", help=f"What a row holds, of {ROW}; with commas."),
]
RenameOption = Annotated[
    str | None,
    typer.Option(metavar="OLD=NEW", help="What columns are called: caption=text,path=file_name."),
]
KeepOption = Annotated[
    str | None,
    typer.Option(metavar="NAMES", help="Columns of the table that rows keep, with commas."),
]
ExcelOption = Annotated[
    bool, typer.Option("--excel", help="CSV with the mark by which Excel knows UTF-8.")
]
AnnotationsOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="COCO results: take ids by file name from here."),
]
ExtensionOption = Annotated[
    str | None, typer.Option(metavar=".EXT", help="Of text sidecars; .txt, if not said.")
]
AppendOption = Annotated[
    bool, typer.Option("--append", help="Put the sentence behind the text that a sidecar has.")
]
SidecarNameOption = Annotated[
    Literal["photo.jpg.xmp", "photo.xmp"] | None,
    typer.Option(
        metavar="NAME",
        help="How XMP sidecars are called: photo.jpg.xmp, or photo.xmp as Lightroom does.",
    ),
]
ColumnOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A table's column of paths, addresses or bytes."),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Leave out files and folders of such a name, *.gif or thumbs/*; several times.",
    ),
]
LowerOption = Annotated[bool, typer.Option("--lower", help="Sentences in small letters.")]
FullStopOption = Annotated[bool, typer.Option(help="Whether sentences end with a full stop.")]
MinConfidenceOption = Annotated[
    float | None,
    typer.Option(
        metavar="P", min=0, max=1, help="No sentence where the model is less sure, but the reason."
    ),
]
MaxPixelsOption = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="The most that a photo may have; 89,478,485, if not said."
    ),
]
TruncatedOption = Annotated[
    bool,
    typer.Option("--allow-truncated", help="Caption JPEGs that lack their last bytes."),
]
TopOption = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="The N best sentences a photo.")
]
AttentionOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Put a picture here of where each word looked."),
]
ExistingOption = Annotated[
    bool | None,
    typer.Option(
        "--overwrite/--skip-existing",
        help="What has a caption gets a new one, or keeps it. At photos: kept, unless said.",
    ),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Continue a run that was interrupted.")
]
FailFastOption = Annotated[
    bool, typer.Option("--fail-fast", help="Stop at the first photo that fails.")
]
EngineOption = Annotated[
    Literal["local", "ray"],
    typer.Option(
        metavar="ENGINE",
        help="local: this machine alone; ray: a Ray cluster, parts into a folder.",
    ),
]
AddressOption = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Ray: the cluster's; else one is started here."),
]
MinWorkersOption = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Ray: workers at least; 1, if not said.")
]
MaxWorkersOption = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Ray: workers at most; as many as fit, if not said."),
]
PartSizeOption = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Ray: photos in a part; 1024, if not said."),
]
