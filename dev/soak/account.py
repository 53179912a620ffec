"""The account of a soak: from the ledger to figures, and to what is wrong with them. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

from dev.report import Row
from dev.soak.ledger import DURABLE, Found, Page

SLOWEST_SECONDS = 10.0
"""No answer may take longer, whatever is down."""
_NAMED = 10
"""So many culprits are named of each kind of wrong."""


@dataclass(frozen=True)
class Experience:
    """A trouble that has happened."""

    name: str
    seconds: float
    was_felt: bool
    answers: dict[str, int]
    """The answers while it lasted."""
    killed: int
    sent_later: int
    """How many spilled messages were sent to their queues afterwards."""
    remade: tuple[str, ...] = ()
    """The entities whose queues are new since then."""
    kept: tuple[str, ...] = ()
    """Those that were not, with reasons."""


@dataclass
class Account:
    """The figures, by name in the order in which they are shown, and what is wrong, by the figure that shows it."""

    is_fifo: bool
    figures: dict[str, int | float] = field(default_factory=dict)
    wrong: dict[str, list[str]] = field(default_factory=dict)
    troubles: list[Experience] = field(default_factory=list)

    @property
    def balances(self) -> bool:
        return not self.wrong

    def rows(self) -> list[Row]:
        return [Row((name, f"{value:,}"), _shortened(self.wrong.get(name, ()))) for name, value in self.figures.items()]

    def trouble_rows(self) -> list[Row]:
        return [_trouble_row(trouble) for trouble in self.troubles]

    def to_json(self) -> dict[str, object]:
        return {"balances": self.balances, **asdict(self)}


def draw_up(
    pages: Sequence[Page],
    strangers: Sequence[Found],
    troubles: Sequence[Experience],
    spilled_left: Sequence[str],
    is_fifo: bool,
) -> Account:
    """Compares what was sent and answered with what was found."""
    account = Account(is_fifo, troubles=list(troubles))
    genuine = [page for page in pages if page.event.is_genuine]
    forged = [page for page in pages if not page.event.is_genuine]
    _count_answers(account, genuine, forged)
    _count_found(account, genuine)
    _look_for_lost(account, genuine)
    _look_for_copies(account, genuine)
    _look_for_strange(account, genuine, forged, strangers)
    _enter(account, "left in spill/", spilled_left)
    _enter(account, "troubles without effect", [each.name for each in troubles if not each.was_felt], is_figure=False)
    _enter(account, "spilled, not sendable", [kept for each in troubles for kept in each.kept])
    return account


def _count_answers(account: Account, genuine: list[Page], forged: list[Page]) -> None:
    words = Counter(answer.word for page in genuine for answer in page.answers)
    figures = account.figures
    figures["events"] = sum(page.sent if page.event.dedup_id is None else 1 for page in genuine)
    figures["requests"] = sum(page.sent for page in genuine)
    for word in DURABLE:
        figures[f"answered 200 {word}"] = words.pop(word, 0)
    refused = {word: count for word, count in words.items() if not (word.startswith("5") or word == "no answer")}
    for word, count in sorted(words.items()):
        figures[f"answered {word}" if word != "no answer" else "not answered"] = count
    seconds = [answer.seconds for page in genuine + forged for answer in page.answers]
    figures["slowest answer, s"] = round(max(seconds, default=0), 2)
    slow = [
        f"{_name(page)}: {answer.word} after {answer.seconds:.1f} s"
        for page in genuine + forged
        for answer in page.answers
        if answer.seconds > SLOWEST_SECONDS
    ]
    _enter(account, "slowest answer, s", slow, is_figure=False)
    # Nothing is wrong with the requests themselves: an error of the relay's is never a 4xx to them.
    _enter(account, "genuine, but refused", [f"{word}, {count} times" for word, count in refused.items()])


def _count_found(account: Account, genuine: list[Page]) -> None:
    found = [each for page in genuine for each in page.found]
    live = [each for each in found if not each.is_dead_letter]
    account.figures |= {
        "found in queues": sum(not each.by_pointer for each in live),
        "found by pointer": sum(each.by_pointer for each in live),
        "found as dead letters": sum(each.is_dead_letter for each in found),
        "events that were spilled": sum(any(answer.word == "spilled" for answer in page.answers) for page in genuine),
        "sent from spill/ later": sum(trouble.sent_later for trouble in account.troubles),
        "found, but never answered 200": sum(bool(page.found) and not page.is_durable for page in genuine),
    }


def _look_for_lost(account: Account, genuine: list[Page]) -> None:
    lost = [page for page in genuine if _whole(page) < page.due]
    _enter(account, "lost", [f"{_name(page)}: answered {_answers(page)}" for page in lost])


def _look_for_copies(account: Account, genuine: list[Page]) -> None:
    """A FIFO queue drops what it has taken in the last five minutes.

    So the relay's own retries cannot make a second copy. A spilled message that had reached its queue after all can: it is
    sent with a deduplication id of its own. So can what a sender sent again after its queue was made anew. A standard queue keeps every copy: those of retries whose
    first attempt had arrived are counted, and not wrong.
    """
    remade = Counter(entity for trouble in account.troubles for entity in trouble.remade)
    copies, too_many, excess = 0, 0, []
    for page in genuine:
        ids = {found.dedup_id for found in page.found}
        found = len(page.found) - len(ids)
        # Of training runs each request is an event of its own, and so sent once.
        again = 0 if page.event.dedup_id is None else page.sent - 1
        spilled = sum(answer.word == "spilled" for answer in page.answers)
        allowed = min(again, remade[page.event.queue]) + spilled if account.is_fifo else again
        copies += min(found, allowed)
        too_many += max(found - allowed, 0)
        if found > allowed or len(ids) > page.sent:
            excess.append(page)
    account.figures["copies, of events sent repeatedly"] = copies
    if account.is_fifo:
        _enter(
            account,
            "duplicated",
            [f"{_name(page)}: sent {page.sent} times, found {len(page.found)} times" for page in excess],
        )
    else:
        account.figures["duplicated by retries"] = too_many


def _look_for_strange(account: Account, genuine: list[Page], forged: list[Page], strangers: Sequence[Found]) -> None:
    found = [(page, each) for page in genuine for each in page.found]
    _enter(account, "strangers", [f"{each.message_id} in {each.queue}" for each in strangers])
    _enter(
        account,
        "altered",
        [_name(page) for page, each in found if (each.digest, each.topic) != (page.event.digest, page.event.topic)],
    )
    _enter(account, "in a wrong queue", [_name(page) for page, each in found if each.queue != page.event.queue])
    account.figures["forged"] = sum(page.sent for page in forged)
    let_in = [page for page in forged if page.found or any(not _is_refusal(a.word) for a in page.answers)]
    _enter(account, "forged, but let in", [f"{_name(page)}: answered {_answers(page)}" for page in let_in])


def _enter(account: Account, name: str, culprits: Iterable[str], is_figure: bool = True) -> None:
    """Enters a figure that has to be 0, or what is wrong with another."""
    named = list(culprits)
    if is_figure or (named and name not in account.figures):
        account.figures[name] = len(named)
    if named:
        account.wrong[name] = named


def _whole(page: Page) -> int:
    """How many events were found with the bytes that were sent."""
    return len({found.dedup_id for found in page.found if found.digest == page.event.digest})


def _is_refusal(word: str) -> bool:
    """401, or what a relay in trouble answers to anybody."""
    return word == "401" or word.startswith("5") or word == "no answer"


def _name(page: Page) -> str:
    return f"{page.event.kind} of {page.event.size} bytes, {page.event.key}"


def _answers(page: Page) -> str:
    return ", ".join(answer.word for answer in page.answers) or "nothing"


def _shortened(culprits: Sequence[str]) -> list[str]:
    more = [f"and {len(culprits) - _NAMED} more"] if len(culprits) > _NAMED else []
    return [*culprits[:_NAMED], *more]


def _trouble_row(trouble: Experience) -> Row:
    answers = ", ".join(f"{count} {word}" for word, count in sorted(trouble.answers.items()))
    cells = (trouble.name, f"{trouble.seconds:.1f} s", answers, str(trouble.killed), str(trouble.sent_later))
    wrong = [] if trouble.was_felt else ["nothing came of it: this soak shows nothing about it"]
    return Row(cells, [*wrong, *_shortened(trouble.kept)])
