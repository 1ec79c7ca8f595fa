"""Passages with titles, read from the packages in sources.py, in an order that depends on a seed alone.

A title is a heading, a defined term or a word; its passage is the section, definition or gloss under it.
"""

from __future__ import annotations

import gzip
import html
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sources import SOURCES, Source, fetch

PASSAGE_CHARACTERS = 600
_DICTD_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


class Passage(NamedTuple):
    source: str
    title: str  # may be empty
    text: str


def load_corpus(cache: Path, seed: int) -> list[Passage]:
    """All passages of all sources, shuffled."""
    readers = {"wordnet": _wordnet, "dictionary": _dictionary, "html": _manual}
    corpus: list[Passage] = []
    for source in SOURCES:
        passages = [p for p in readers[source.kind](source, fetch(source, cache)) if _is_english_prose(p.text)]
        random.Random(f"{seed} {source.package}").shuffle(passages)
        corpus += passages[: source.limit]
    random.Random(seed).shuffle(corpus)
    return corpus


def _is_english_prose(text: str) -> bool:
    letters = sum(c.isalpha() or c == " " for c in text)
    return letters > 0.7 * len(text) and sum(c.isascii() for c in text) > 0.97 * len(text)


def _collapse(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _cut(text: str) -> str:
    """At most PASSAGE_CHARACTERS, ending at a word's end."""
    return text if len(text) <= PASSAGE_CHARACTERS else text[:PASSAGE_CHARACTERS].rsplit(" ", 1)[0]


def _dictd(path: Path) -> Iterator[tuple[str, str]]:
    """Head words and entries of a dictd database: an index of base-64 offsets into a gzip file."""

    def number(digits: str) -> int:
        value = 0
        for digit in digits:
            value = value * 64 + _DICTD_DIGITS.index(digit)
        return value

    entries = gzip.open(f"{path}.dict.dz").read()
    for line in Path(f"{path}.index").read_text("utf-8").splitlines():
        word, offset, size = line.split("\t")
        if not word.startswith("00"):
            yield word, entries[number(offset) : number(offset) + number(size)].decode("utf-8", "ignore")


def _wordnet(source: Source, path: Path) -> Iterator[Passage]:
    """One passage a sense: the gloss with its examples, titled with one of the words that share it."""
    sense = re.compile(r"(?s)(?:^|\n)\s+(?:(?:n|v|adj|adv) )?(?:\d+)?: (.*?)(?=\n\s+(?:(?:n|v|adj|adv) )?\d+: |\Z)")
    words_of: dict[str, set[str]] = {}
    for word, entry in _dictd(path):
        for match in sense.finditer(entry[len(word) :]):
            gloss = _collapse(re.sub(r"(?s)\[.*?\]", "", match.group(1))).replace("{", "").replace("}", "")
            words_of.setdefault(gloss, set()).add(word)
    for gloss, words in sorted(words_of.items()):
        if len(gloss) >= 30:
            yield Passage(source.package, random.Random(gloss).choice(sorted(words)), _cut(gloss))


def _dictionary(source: Source, path: Path) -> Iterator[Passage]:
    for word, entry in _dictd(path):
        text = _collapse(re.sub(r"<[^>]+>", "", entry.partition("\n")[2])).replace("{", "").replace("}", "")
        if len(text) > 80 and len(word) > 2:
            yield Passage(source.package, word, _cut(text))


def _plain(markup: str) -> str:
    return _collapse(html.unescape(re.sub(r"<[^>]+>", " ", markup)).replace("¶", ""))


def _heading(markup: str) -> str:
    """A heading without section number, permalink signs and characters beyond ASCII."""
    text = re.sub(r"[^ -~]|\s+#$", "", _plain(markup))
    return re.sub(r"^((chapter|section|appendix)\s+)?(\d|[A-Z]\.)[\d.]*\s+(?=[A-Za-z])", "", text, flags=re.I).strip()


def _manual(source: Source, folder: Path) -> Iterator[Passage]:
    """Sections and definitions of HTML manuals. A short heading is prefixed with the page's on every other page."""
    files = sorted(p for p in folder.rglob("*") if p.name.endswith((".html", ".html.gz", ".html.en")) and p.is_file())
    seen: set[tuple[str, str]] = set()
    for number, file in enumerate(files):
        data = gzip.open(file).read() if file.suffix == ".gz" else file.read_bytes()
        if len(data) > 3_000_000:
            continue
        page = re.sub(r"(?s)<(script|style|nav|head\b(?!er))[^>]*>.*?</\1>", " ", data.decode("utf-8", "ignore"))
        for title, text in _sections(page, with_page_title=number % 2 == 0):
            key = (title.lower(), text[:60])
            if key not in seen:
                seen.add(key)
                yield Passage(source.package, title, _cut(text))


def _sections(page: str, with_page_title: bool) -> Iterator[tuple[str, str]]:
    parts = re.split(r"(?s)<h[1-6][^>]*>(.*?)</h[1-6]>", page)
    page_title = ""
    for heading, body in zip(parts[1:-1:2], parts[2::2]):
        title, text = _heading(heading), _plain(body)
        page_title = page_title or title
        if not 4 <= len(title) <= 120 or len(text) < 100:
            continue
        short = len(title.split()) < 4 and title != page_title and len(page_title) < 60
        yield (f"{page_title}: {title}" if short and with_page_title else title), text
        if len(text) > 2 * PASSAGE_CHARACTERS:
            yield "", text[PASSAGE_CHARACTERS:].partition(" ")[2]
    for term, definition in re.findall(r"(?s)<dt[^>]*>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", page)[:15]:
        title, text = _plain(term), _plain(definition)
        if 3 < len(title) < 100 and len(text) > 60:
            yield title, text
