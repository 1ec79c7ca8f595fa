"""Groups of questions and passages on one subject, written for this project, of which each passage answers its own
question alone.

A file of groups/ holds blocks of pairs, "? question" and "= passage", separated by empty lines. Every tenth block of a
file is held out for development. In files named lists-* the first pair was written first and the other passages as near
misses of its question, with questions of their own added later: there the first passages differ in style, so only the
choice of a question for a passage is taught.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).with_name("groups")


class Group(NamedTuple):
    questions: list[str]
    passages: list[str]  # as many
    symmetric: bool  # all pairs were written alike
    held_out: bool


def load_groups() -> list[Group]:
    groups = []
    for file in sorted(FOLDER.glob("*.txt")):
        blocks = file.read_text("utf-8").strip().split("\n\n")
        groups += [
            _group(block, f"{file.name}, group {i}", not file.name.startswith("lists-"), i % 10 == 9)
            for i, block in enumerate(blocks)
        ]
    return groups


def _group(block: str, where: str, symmetric: bool, held_out: bool) -> Group:
    lines = block.split("\n")
    questions, passages = lines[0::2], lines[1::2]
    if (
        len(questions) != len(passages)
        or len(passages) < 3
        or not all(q.startswith("? ") and p.startswith("= ") for q, p in zip(questions, passages))
    ):
        raise ValueError(f"{where}: expected three or more pairs of lines '? ' and '= ', got {block[:80]!r}")
    return Group([q[2:] for q in questions], [p[2:] for p in passages], symmetric, held_out)
