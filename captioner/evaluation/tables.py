"""Tables of a report, for a paper: in Markdown and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

HEADS = {
    "Bleu_1": "B-1", "Bleu_2": "B-2", "Bleu_3": "B-3", "Bleu_4": "B-4", "METEOR": "M",
    "ROUGE_L": "R-L", "CIDEr": "C", "SPICE": "S", "CIDEr_R": "C-R", "CLIPScore": "CLIP-S",
    "RefCLIPScore": "RefCLIP-S", "PAC_S": "PAC-S", "RefPAC_S": "RefPAC-S", "BERTScore": "BERT-S",
}  # fmt: skip
_SPECIAL = re.compile(r"[&%$#_{}~^\\|<>]")
_WORDS = {
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}",
    "|": r"\textbar{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def paper_table(systems: Sequence[Mapping[str, Any]], kind: str) -> str:
    """The systems' metrics times 100, the best of a column in bold, as "markdown" or "latex".

    With several systems their mean rank by CIDEr comes last. LaTeX needs the package booktabs.
    """
    names = [name for name in systems[0]["metrics"] if all(name in s["metrics"] for s in systems)]
    several = len(systems) > 1
    heads = ["System", *(HEADS.get(name, name) for name in names), *(["Rank"] if several else [])]
    best = {name: max(round(s["metrics"][name], 3) for s in systems) for name in names}
    mark, plain, lines = _latex if kind == "latex" else _markdown
    rows = []
    for system in systems:
        cells = [plain(str(system["name"]))]
        for name in names:
            value = system["metrics"][name]
            text = f"{100 * value:.1f}"
            cells.append(mark(text) if several and round(value, 3) == best[name] else text)
        rows.append([*cells, *([f"{system['rank']:.2f}"] if several else [])])
    return lines([plain(head) for head in heads], rows)


def _markdown_lines(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def _latex_lines(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return " & ".join(cells) + r" \\"

    return "\n".join(
        [
            rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}",
            r"\toprule",
            line(heads),
            r"\midrule",
            *map(line, rows),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


_markdown = (
    lambda text: f"**{text}**",
    lambda text: text.replace("\\", "\\\\").replace("|", r"\|"),
    _markdown_lines,
)
_latex = (
    lambda text: rf"\textbf{{{text}}}",
    lambda text: _SPECIAL.sub(lambda found: _WORDS.get(found[0], "\\" + found[0]), text),
    _latex_lines,
)
