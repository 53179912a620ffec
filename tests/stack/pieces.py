"""The search for pieces of what must not come out, in whatever way they are written."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from readings import readings


@dataclass(frozen=True)
class Output:
    """Something that came out, and where."""

    place: str
    content: bytes


@dataclass(frozen=True)
class Leak:
    """A piece that is where it does not belong."""

    place: str
    what: str
    piece: bytes


@dataclass
class Pieces:
    """Every piece of `size` bytes of some named texts.

    A piece holds a whole block of the text, if blocks are half as long and stand side by side. So one entry for each
    block finds all pieces, in an eighth of the memory that the pieces would take.
    """

    size: int
    texts: Mapping[str, bytes]
    _blocks: dict[bytes, set[str]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        for name, text in self.texts.items():
            assert len(text) >= self.size, f"{name} is too short to be searched for"
            for start in range(0, len(text) - self._block + 1, self._block):
                self._blocks[text[start : start + self._block]].add(name)

    @property
    def _block(self) -> int:
        return (self.size + 1) // 2

    @property
    def count(self) -> int:
        """How many pieces there are."""
        return sum(len(text) - self.size + 1 for text in self.texts.values())

    def first_in(self, text: bytes) -> tuple[str, bytes] | None:
        """A piece that is in `text`, and what it is of."""
        seen = set()
        for at in range(len(text) - self._block + 1):
            names = self._blocks.get(text[at : at + self._block])
            if names is None:
                continue
            for start in range(max(0, at + self._block - self.size), min(at, len(text) - self.size) + 1):
                piece = text[start : start + self.size]
                for name in sorted(names):
                    if (name, piece) in seen:
                        continue
                    if piece in self.texts[name]:
                        return name, piece
                    seen.add((name, piece))
        return None


def leaks(outputs: Iterable[Output], forbidden: Iterable[Pieces]) -> list[Leak]:
    """What must not come out and did: of each output and each kind of pieces, the first."""
    kinds = list(forbidden)
    places: dict[bytes, str] = {}
    for output in outputs:
        places.setdefault(output.content, output.place)  # what comes out often is searched once
    found = []
    for content, place in places.items():
        read = list(readings(content))
        for kind in kinds:
            hit = next((hit for text in read if (hit := kind.first_in(text))), None)
            if hit:
                found.append(Leak(place, *hit))
    return found
