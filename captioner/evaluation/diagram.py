"""The critical-difference diagram (Demšar 2006) of many systems, as an SVG file's text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from captioner.evaluation.systems import LEVEL, RANKED, cliques

_WIDTH, _LEFT, _LINE = 800, 260, 24
_AXIS = 44
_LETTERS = 20  # of a system's name: so many fit beside the axis


def critical_difference(figures: Mapping[str, Any]) -> str:
    """Systems by their mean rank on a photo, by CIDEr; a bar joins those that do not differ.

    They do not differ where the paired bootstrap's p after Holm's correction is 0.05 or more. The
    line through a system's place is the 95 % interval of its rank.
    """
    systems = sorted(figures["systems"], key=lambda system: system["rank"])
    apart = {
        frozenset((pair["one"], pair["other"])): pair["p_holm"] < LEVEL
        for pair in figures["pairs"][RANKED]
    }
    joined = cliques([str(system["name"]) for system in systems], apart)
    top = _AXIS + 14 * (len(joined) + 1)
    height = top + _LINE * len(systems) + 34
    parts = _axis(len(systems))
    place = {system["name"]: _x(system["rank"], len(systems)) for system in systems}
    for row, run in enumerate(joined, 1):
        y = _AXIS + 14 * row
        parts.append(_rule(place[run[0]] - 4, y, place[run[-1]] + 4, y, 5))
    for row, system in enumerate(systems):
        parts += _system(system, place[system["name"]], top + _LINE * (row + 0.7), len(systems))
    caption = (
        f"mean rank by {RANKED} on {figures['photos_scored']} photos; a bar joins systems that do "
        f"not differ (Holm, {LEVEL})"
    )
    parts.append(_text(12, height - 8, "start", caption))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" '
        f'width="{_WIDTH}" height="{height:.0f}" font-family="sans-serif" font-size="13">\n'
        f'<rect width="{_WIDTH}" height="{height:.0f}" fill="white"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _axis(count: int) -> list[str]:
    parts = [_rule(_LEFT, _AXIS, _WIDTH - 20, _AXIS, 1)]
    for rank in range(1, count + 1):
        x = _x(rank, count)
        parts += [_rule(x, _AXIS - 6, x, _AXIS, 1), _text(x, _AXIS - 12, "middle", str(rank))]
    return parts


def _system(system: Mapping[str, Any], x: float, y: float, count: int) -> Sequence[str]:
    low, high = (_x(rank, count) for rank in system["rank_interval"])
    return (
        _text(_LEFT - 14, y + 4, "end", f"{_short(system['name'])}  {system['rank']:.2f}"),
        _rule(low, y, high, y, 2),
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>',
        f'<path d="M{x:.1f} {_AXIS} V{y:.1f}" stroke="black" stroke-width=".5" '
        'stroke-dasharray="2 3"/>',
    )


def _short(name: str) -> str:
    return name if len(name) <= _LETTERS else f"…{name[1 - _LETTERS :]}"


def _x(rank: float, count: int) -> float:
    return _LEFT + (rank - 1) / max(1, count - 1) * (_WIDTH - 20 - _LEFT)


def _rule(x: float, y: float, to_x: float, to_y: float, width: float) -> str:
    return (
        f'<path d="M{x:.1f} {y:.1f} L{to_x:.1f} {to_y:.1f}" stroke="black" stroke-width="{width}"/>'
    )


def _text(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
