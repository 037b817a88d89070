"""The header of a FITS extension: cards by name, parsed when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from gm.io.tables import CardValue

CARD = 80


class Header(Mapping[str, CardValue]):
    """The cards of one extension; a value is parsed when it is asked for. The first card of a name wins.

    Names of more than eight characters are those of ``HIERARCH`` cards.
    """

    def __init__(self, block: bytes) -> None:
        text = block.decode("latin-1")
        self._cards: dict[str, str] = {}
        last = ""
        for start in range(0, len(text), CARD):
            name = text[start : start + 8].rstrip()
            if name == "CONTINUE":
                self._cards[last] = _join(self._cards.get(last, ""), text[start + 8 : start + CARD])
            elif name == "HIERARCH":
                long, _, value = text[start + 8 : start + CARD].partition("=")
                self._cards.setdefault(long.strip(), value)
            elif text[start + 8] == "=":
                self._cards.setdefault(name, text[start + 10 : start + CARD])
                last = name

    def __getitem__(self, name: str) -> CardValue:
        return parse_value(self._cards[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._cards)

    def __len__(self) -> int:
        return len(self._cards)

    def __contains__(self, name: object) -> bool:
        return name in self._cards

    def text(self, name: str, default: str = "") -> str:
        """The value of a card as text without blanks at its ends."""
        return str(self[name]).strip() if name in self._cards else default

    def number(self, name: str) -> int | float | None:
        """The value of a card that is a number; None without it, and for texts and logicals."""
        value: Any = self.get(name)
        return value if type(value) in (int, float) else None

    def whole(self, name: str) -> int | None:
        """The value of a card that is an integer; None for everything else."""
        value = self.get(name)
        return value if type(value) is int else None


def _join(card: str, more: str) -> str:
    """A long string: the text so far, its closing ``&'`` dropped, and the text of the ``CONTINUE`` card."""
    head, tail = str(parse_value(card)), str(parse_value(more.strip()))
    return "'" + (head.removesuffix("&") + tail).replace("'", "''") + "'"


@lru_cache(maxsize=4096)
def parse_value(card: str) -> CardValue:
    """The value of a card's text behind ``= ``: string, logical, integer or real; anything else as text."""
    card = card.strip()
    if card.startswith("'"):
        end = 1
        while True:
            end = card.find("'", end)
            if end < 0 or card[end + 1 : end + 2] != "'":
                break
            end += 2
        return card[1 : end if end > 0 else None].replace("''", "'").rstrip()
    word = card.partition("/")[0].strip()
    if word in ("T", "F"):
        return word == "T"
    for number in (int, float):
        try:
            return number(word.replace("D", "E"))
        except ValueError:
            continue
    return word
