"""Questions to shards, wherever they are: what they need is made first, and made elsewhere when a worker is lost."""

from __future__ import annotations

import pickle
import time
import weakref
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar, final

from gm.engine.messages import Again, Ask, Forget, Planned, See
from gm.engine.parcels import Packing, Unseen
from gm.engine.placement import Placement
from gm.engine.pool import Lost, Pool, Reply, Worker
from gm.engine.recipes import Recipe, Step
from gm.engine.shards import Shard
from gm.engine.worker_state import Failure, Message, Place
from gm.errors import EngineError

_GLANCE = 0.02  # s at each of several workers that have more to do
_LOOK = 2.0  # s after which a worker that has not answered is asked for a sign of life
_PATIENCE = 30.0  # s for a worker to come when none is left

Tell = Callable[[int, int], None]
R = TypeVar("R", bound=Recipe)


@final
@dataclass(frozen=True, eq=False)
class Question:
    """To what a recipe has made for a shard."""

    recipe: Recipe
    shard: Shard
    name: str
    arguments: Sequence[Any] = ()

    def message(self) -> Message:
        return Ask(self.recipe.place(self.shard), self.name, self.arguments)

    def answer(self, told: Any) -> Any:
        """What it was answered; where that has consequences, it is asked again where its shard is made again."""
        if not isinstance(told, Planned):
            return told
        steps = self.recipe.derivation(self.shard)
        self.recipe.root.past[self.shard.number].append(Again([*(make() for _, make in steps), self.message()]))
        return told.answer


@dataclass
class Traffic:
    """What has gone to workers and come back [bytes], in how many exchanges with all of them."""

    sent: int = 0
    received: int = 0
    rounds: int = 0


@dataclass(eq=False)
class _Sent:
    """A reply that is waited for ``since`` a time; ``seen``: the last sign of life; ``forgets``: whether its last part
    says nothing."""

    reply: Reply
    forgets: bool
    since: float
    seen: float


@dataclass(frozen=True, eq=False)
class _Batch:
    """Questions, by number, that a worker answers at once; what is made for the first one comes before it."""

    worker: Worker
    questions: list[tuple[int, Question]]
    makes: list[Place]
    reply: _Sent


@final
class Crew:
    """The workers of a pool, and what each of them holds.

    deadline : time [s] after which a worker that shows life but does not answer is given up
    """

    def __init__(self, pool: Pool, deadline: float, patience: float = _PATIENCE) -> None:
        self.pool, self.deadline, self.patience = pool, deadline, patience
        self.traffic, self._placement, self._numbers = Traffic(), Placement(), count()
        self.held: defaultdict[str, set[Place]] = defaultdict(set)
        self._seen: defaultdict[str, set[str]] = defaultdict(set)
        self._unneeded: defaultdict[str, set[int]] = defaultdict(set)

    def number(self) -> int:
        """A new one for a recipe."""
        return next(self._numbers)

    def keep(self, recipe: R) -> R:
        """A recipe: what it makes is kept by the workers as long as somebody has it."""
        weakref.finalize(recipe, self._forget, recipe.number).atexit = False
        return recipe

    def _forget(self, number: int) -> None:
        """What a recipe has made is needed no more; workers hear of it with the next question."""
        for name, held in self.held.items():
            gone = {place for place in held if place[0] == number}
            if gone:
                held -= gone
                self._unneeded[name].add(number)

    def check_files(self, shards: Sequence[Shard], packing: Packing) -> None:
        """Every worker sees the files of its shards as they are here. Raises `EngineError` with all that are not."""
        self._settle(shards)
        unknown: dict[str, list[Any]] = defaultdict(list)
        for shard in shards:
            home = self._placement.home(shard).name
            packed = map(packing.pack, shard.datasets)
            unknown[home] += [parcel for parcel in packed if parcel.path and parcel.path not in self._seen[home]]
        problems: list[str] = []
        for home, parcels in ((home, parcels) for home, parcels in unknown.items() if parcels):
            worker = self._placement.workers[home]
            try:
                (found,) = self._wait(worker, self._send(worker, [See(parcels)]))
            except Lost as lost:
                self._lose(worker, str(lost), ())
                continue  # whoever gets its shards looks again
            problems += [f"{text} (on {worker.host})" for text in found]
            self._seen[home].update(parcel.path for parcel in parcels)
        if problems:
            hint = "workers read the files themselves: put them where all machines see them under the same path"
            raise EngineError("\n".join(["workers do not see files as they are here", *problems, f"    {hint}"]))

    def ask(self, questions: Sequence[Question], tell: Tell | None = None) -> list[Any]:
        """The answers, in order. ``tell`` hears how many are there. Raises what workers raise, and `EngineError`."""
        answers: dict[int, Any] = {}
        self.traffic.rounds += 1
        while len(answers) < len(questions):
            waiting = [(k, question) for k, question in enumerate(questions) if k not in answers]
            self._settle([question.shard for _, question in waiting])
            queues: dict[str, deque[tuple[int, Question]]] = defaultdict(deque)
            for k, question in waiting:
                queues[self._placement.home(question.shard).name].append((k, question))
            self._work_off(queues, answers, tell and (lambda: tell(len(answers), len(questions))))
        return [answers[k] for k in range(len(questions))]

    # One exchange with all workers

    def _work_off(
        self,
        queues: Mapping[str, deque[tuple[int, Question]]],
        answers: dict[int, Any],
        tell: Callable[[], None] | None,
    ) -> None:
        """Every worker does what is in its queue, or is lost."""
        running = [batch for name in queues if (batch := self._start(name, queues[name])) is not None]
        while running:
            for batch in list(running):
                queue = queues[batch.worker.name]
                done = self._take(batch, answers, _GLANCE if any(queues.values()) else _LOOK)
                if done is None:
                    continue
                running.remove(batch)
                if tell:
                    tell()
                if done and queue and (following := self._start(batch.worker.name, queue)) is not None:
                    running.append(following)

    def _start(self, name: str, queue: deque[tuple[int, Question]]) -> _Batch | None:
        """Send the next of a queue: one for which something has to be made, or all until then."""
        worker, questions = self._placement.workers[name], [queue.popleft()]
        steps = self._missing(name, questions[0][1])
        while queue and not steps and not self._missing(name, queue[0][1]):
            questions.append(queue.popleft())
        messages = [*(make() for _, make in steps), *(question.message() for _, question in questions)]
        try:
            reply = self._send(worker, messages)
        except Lost as lost:
            self._lose(worker, str(lost), ())
            return None
        return _Batch(worker, questions, [place for place, _ in steps], reply)

    def _missing(self, name: str, question: Question) -> list[Step]:
        held = self.held[name]
        return [step for step in question.recipe.steps(question.shard) if step[0] not in held]

    def _take(self, batch: _Batch, answers: dict[int, Any], seconds: float) -> bool | None:
        """Enter what a worker has answered; None where it has not yet, False where it is lost."""
        shards = [question.shard for _, question in batch.questions]
        try:
            found = self._look(batch.worker, batch.reply, seconds)
        except Lost as lost:
            self._lose(batch.worker, str(lost), shards)
            return False
        if found is None:
            return None
        failure = found.pop() if isinstance(found[-1], Failure) else None
        n_made = len(batch.makes)
        self.held[batch.worker.name].update(batch.makes[: len(found)])
        told = found[n_made:]
        answers.update((k, question.answer(one)) for (k, question), one in zip(batch.questions, told, strict=False))
        self._placement.did(shards[: len(told)])
        if failure is not None:
            self._fail(shards[len(told)], failure.error)
        return True

    def _fail(self, shard: Shard, error: Exception) -> None:
        """What a worker cannot do another one may; anything else is raised."""
        if isinstance(error, Unseen | MemoryError):
            self._placement.refuse(shard, str(error) or "does not fit into memory")
            return
        raise error

    def _send(self, worker: Worker, messages: list[Message]) -> _Sent:
        unneeded = self._unneeded.pop(worker.name, None)
        data = pickle.dumps([*messages, *([Forget(frozenset(unneeded))] if unneeded else [])], pickle.HIGHEST_PROTOCOL)
        self.traffic.sent += len(data)
        now = time.monotonic()
        return _Sent(self.pool.send(worker.name, data), bool(unneeded), now, now)

    def _look(self, worker: Worker, sent: _Sent, seconds: float) -> list[Any] | None:
        """What a worker has answered; None where it has not. Raises `Lost` when it does not any more."""
        try:
            data = sent.reply.get(seconds)
        except TimeoutError:
            now = time.monotonic()
            if now - sent.since > self.deadline:
                raise Lost(f"no answer for {self.deadline:.0f} s") from None
            if now - sent.seen > _LOOK:
                if not self.pool.is_there(worker.name):
                    raise Lost("shows no sign of life") from None
                sent.seen = now
            return None
        self.traffic.received += len(data)
        found = list(pickle.loads(data))
        if sent.forgets and not isinstance(found[-1], Failure):
            found.pop()
        return found

    def _wait(self, worker: Worker, sent: _Sent) -> list[Any]:
        while (found := self._look(worker, sent, _LOOK)) is None:
            pass
        return found

    # Workers come and go

    def _settle(self, shards: Iterable[Shard]) -> None:
        """Every shard has a worker. Raises `EngineError` when there is none, and none comes."""
        homeless = self._placement.homeless(shards)
        if not homeless:
            return
        until = time.monotonic() + self.patience
        while not (workers := self.pool.workers()):
            if time.monotonic() > until:
                last = self._placement.last_loss()
                raise EngineError(f"no worker is left for {homeless[0]}" + (f"\n    {last}" if last else ""))
            time.sleep(0.2)
        self._placement.settle(homeless, workers)

    def _lose(self, worker: Worker, why: str, busy_with: Iterable[Shard]) -> None:
        self.held.pop(worker.name, None)
        self._seen.pop(worker.name, None)
        self.pool.drop(worker.name)
        self._placement.lose(worker, why, busy_with)
