"""The header of a FITS extension: cards by name, parsed when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeVar, cast

from gm.io.tables import CardValue

CARD = 80
_SHORT = 1 << 14  # bytes
_LONG = 1 << 18  # bytes
_KINDS = 4  # of data behind equal headers

T = TypeVar("T")


class Header(Mapping[str, CardValue]):
    """The cards of one extension; a value is parsed when it is asked for. The first card of a name wins.

    Names of more than eight characters are those of ``HIERARCH`` cards.
    """

    @classmethod
    def of(cls, block: bytes) -> Header:
        """The header with these bytes; short ones are remembered, since files of many runs have the same ones."""
        return _remembered(block) if len(block) <= _SHORT else cls(block)

    def __init__(self, block: bytes) -> None:
        text = block.decode("latin-1")
        self._cards: dict[str, str] = {}
        self._known: dict[Any, Any] = {}
        self._of_data: list[tuple[Any, bytes, Any]] = []
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

    def known(self, find: Callable[[Header], T]) -> T:
        """What a function finds in the cards, looked for once; what it raises is not kept."""
        if find not in self._known:
            self._known[find] = find(self)
        found: T = self._known[find]
        return found

    def known_of(self, find: Callable[..., T], data: bytes, make: Callable[[], T]) -> T:
        """What ``make`` makes of the data behind this header; of the last few, unless they are long, it is remembered
        what ``find`` made. What it raises is not kept."""
        for its_find, its_data, found in self._of_data:
            if its_find is find and its_data == data:
                return cast(T, found)
        made = make()
        if len(data) <= _LONG:
            self._of_data = [(find, data, made), *self._of_data[: _KINDS - 1]]
        return made

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


@lru_cache(maxsize=256)
def _remembered(block: bytes) -> Header:
    return Header(block)


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
