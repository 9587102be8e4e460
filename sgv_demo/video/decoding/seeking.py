"""Decoding towards one wanted picture after another: where decoding begins, and whether what comes out can be believed.

A container's keyframes are claims. A flag may be wrong, a table missing, a recovery point takes a second to recover, an
open group's first pictures need the group before, and a seek may land elsewhere. So the packet where a seek landed is
known again by its content, and pictures count from the first on that decodes without what came before. Where that one
is late, or something is damaged on the way to the wanted picture, decoding starts earlier, at last from the beginning.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
from av import VideoFrame
from av.packet import Packet
from av.video.frame import PictureType

from sgv_demo.video.decoding.index import Index, mark
from sgv_demo.video.decoding.passes import Pass

Strategy = Literal["auto", "in order", "seek"]

_SEEK_COSTS = 6
"""Emptying the decoder and finding the place is about as dear as decoding so many pictures."""
_IN_ORDER_IS_FASTER = 1.6
"""In order, the decoder's threads work on several pictures at once; after a seek they begin with one."""
_MOST_FAILED_SEEKS = 8
"""Where so many led nowhere, the container's keyframes are not worth another try."""
_MOST_PACKETS_TO_LAND = 64
"""Packets read after a seek until it must be clear where it led."""
_LONGEST_DELAY = 64
"""Packets behind the wanted one after which a decoder that has given nothing yet won't give it."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A decoded picture and its number in display order."""

    number: int
    frame: VideoFrame


class SeekPlan:
    """Chooses, picture by picture, the cheaper way: never much worse than reading in order or seeking each time."""

    def __init__(self, index: Index, strategy: Strategy = "auto") -> None:
        """The strategies "in order" and "seek" force one way, for comparison."""
        self.index = index
        self.seeks = 0
        """Seeks made so far."""
        self._strategy: Strategy = strategy
        self._keyframes = index.keyframes

    def place(self, number: int) -> int:
        """Position in decoding order of the picture `number`."""
        return int(self.index.position[number])

    def entry(self, number: int, back: int = 0) -> int | None:
        """Position of the last keyframe from which the picture can be decoded, or `back` keyframes before that."""
        keys = self._keyframes
        i = int(np.searchsorted(keys, self.place(number), "right")) - 1
        # Pictures that follow an open group's keyframe but are shown before it need the group before.
        while i >= 0 and self.index.number[keys[i]] > number:
            i -= 1
        return int(keys[i - back]) if i >= back else None

    def strike(self, first: int, end: int) -> None:
        """No packet from `first` to before `end` is a keyframe after all."""
        self._keyframes = self._keyframes[(self._keyframes < first) | (self._keyframes >= end)]

    def seek_to(self, number: int, position: int) -> int | None:
        """Keyframe to seek to before decoding the picture `number`, or None to go on from `position`."""
        entry = None if self._strategy == "in order" else self.entry(number)
        if entry is None or self._strategy == "seek":
            return entry
        place = self.place(number)
        after_seek = place - entry + 1 + _SEEK_COSTS
        return entry if entry > position and after_seek < (place - position) / _IN_ORDER_IS_FASTER else None


class Walk:
    """Hands out wanted pictures, which must come in increasing order."""

    def __init__(self, reading: Pass, plan: SeekPlan) -> None:
        self._reading, self._plan = reading, plan
        self._packets = reading.packets()
        self._position = 0
        """Packets behind us, in decoding order."""
        self._ready: deque[Numbered] = deque()
        self._shown: Numbered | None = None
        self._over = self._drained = False
        # Files whose pictures are known only by counting can't be entered in the middle.
        self._in_order = not plan.index.numbered
        self._counted = 0
        self._failed = self._tries = 0
        self._damage_is_real = False
        self._begin_at(None)

    def picture(self, number: int, following: int | None) -> Numbered | None:
        """The picture `number`, or where it is damaged the last one before it (else the next).

        `following` is the number that will be asked for afterwards, None for none: whether the decoder's state is
        needed any longer depends on it. None comes back when nothing is decodable.
        """
        if self._shown is not None and self._shown.number >= number:
            return self._shown
        if self._drained or not self._ready or self._ready[-1].number < number:
            self._approach(number)
        while True:
            found = self._take(number)
            if self._can_not_be_believed(number):
                self._start_earlier(number)
            elif found is not None or self._over:
                return found or self._shown
            elif self._has_been_fed(number) and self._may_drain(following):
                self._drain()
            else:
                self._feed(number)

    # Where to begin

    def _approach(self, number: int) -> None:
        """Seeks if that is the cheaper way to the picture, or the only one."""
        if self._in_order and not self._drained:
            return
        entry = self._plan.seek_to(number, self._position)
        if entry is None and self._drained:
            entry = self._plan.entry(number)
        self._tries = 0
        if entry is not None:
            self._enter(entry)
        elif self._drained:
            self._start_over()

    def _enter(self, entry: int) -> None:
        """Seeks to the packet at position `entry` and feeds it."""
        index, reading = self._plan.index, self._reading
        # Matroska and MP4 are searched by presentation time, the others by decoding time.
        by_pts = reading.container.format.name.startswith(("matroska", "mov"))
        reading.seek(int((index.pts if by_pts else index.dts)[entry]))
        self._begin_at(entry)
        self._packets = reading.packets()
        self._plan.seeks += 1
        run, position = self._landed()
        if position is None or position - len(run) + 1 > entry:
            self._astray = True
            return
        self._packets = chain(run, self._packets)
        self._position = position - len(run) + 1
        while self._position < entry and next(self._packets, None) is not None:
            self._position += 1

    def _landed(self) -> tuple[list[Packet], int | None]:
        """Packets read after a seek, and the position of the last of them, or None where it can't be told."""
        run: list[Packet] = []
        for _ in range(_MOST_PACKETS_TO_LAND):
            packet = next(self._packets, None)
            if packet is None:
                break
            run.append(packet)
            places = self._plan.index.locate(run)
            if len(places) == 1:
                return run, int(places[0])
            if not len(places):
                # Transport streams are entered anywhere, so the first packet may be a part of one.
                run.clear()
        return run, None

    def _start_earlier(self, number: int) -> None:
        """After a seek that led to nothing: twice as far back each time, at last from the beginning."""
        assert self._entry is not None
        self._failed += 1
        self._tries += 1
        damaged, back = self._damaged, 2**self._tries - 1
        if not damaged and not self._astray:
            end = self._entry + 1 if self._first is None else self._plan.place(self._first.number)
            self._plan.strike(self._entry, end)
            back -= 1
        self._forget_damage()
        entry = self._plan.entry(number, back)
        if damaged or entry is None or self._failed > _MOST_FAILED_SEEKS:
            # Another entry might meet the same damage; from the beginning, what is damaged is so in the file.
            self._damage_is_real = self._damage_is_real or damaged
            self._in_order = self._failed > _MOST_FAILED_SEEKS
            self._start_over()
        else:
            self._enter(entry)

    def _start_over(self) -> None:
        self._reading.reopen()
        self._begin_at(None)
        self._packets = self._reading.packets()
        self._position = self._counted = 0

    def _begin_at(self, entry: int | None) -> None:
        self._entry: int | None = entry
        self._proven = entry is None
        self._anything = False
        self._first: Numbered | None = None
        """The first picture after a seek that is proven, or that is behind the wanted one and so comes too late."""
        self._lost_before, self._flawed_before = set(self._reading.lost), set(self._reading.flawed)
        self._astray = self._over = self._drained = self._must_go_on = False
        self._ready.clear()
        self._shown = None

    # What can be believed

    def _can_not_be_believed(self, number: int) -> bool:
        """Whether the last seek led to no picture that may be handed out for `number`."""
        if self._entry is None:
            return False
        empty = self._first is None and (self._over or self._position > self._plan.place(number) + _LONGEST_DELAY)
        return self._astray or self._late(number) or empty or self._damaged

    def _late(self, number: int) -> bool:
        return self._first is not None and self._first.number > number

    @property
    def _damaged(self) -> bool:
        if self._damage_is_real or not self._proven:
            return False
        return len(self._reading.lost) > len(self._lost_before) or len(self._reading.flawed) > len(self._flawed_before)

    def _forget_damage(self, before: int | None = None) -> None:
        """What failed to decode since the seek (up to the picture `before`) is the seek's fault, not the file's."""
        reading = self._reading
        lost, flawed = set(self._lost_before), set(self._flawed_before)
        if before is not None:
            lost |= {position for position in reading.lost if position >= self._plan.place(before)}
            flawed |= {number for number in reading.flawed if number >= before}
        reading.lost, reading.flawed = lost, flawed

    def _prove(self, picture: Numbered, wanted: int) -> bool:
        """Looks at the next picture after a seek; afterwards whether it is proven."""
        self._proven = self._proves(picture)
        self._anything = True
        if self._proven:
            self._forget_damage(before=picture.number)
        if self._proven or picture.number > wanted:
            self._first = self._first or picture
        return self._proven

    def _proves(self, picture: Numbered) -> bool:
        """Whether pictures from this one on are right though decoding began in the middle of the file."""
        if picture.frame.key_frame:
            return True
        # FFmpeg's H.264 decoder holds back what has not recovered yet; the one thing it lets through unproven is an
        # intra picture that later ones may reach across.
        codec = self._reading.decoder.codec.canonical_name
        return codec == "h264" and not self._anything and picture.frame.pict_type != PictureType.I

    # Decoding

    def _take(self, number: int) -> Numbered | None:
        """The answer among the pictures that are ready, or None when more must be decoded."""
        while self._ready and not self._late(number):
            picture = self._ready[0]
            if not self._proven and not self._prove(picture, number):
                self._ready.popleft()
                continue
            if picture.number > number and self._shown is not None:
                return self._shown
            self._shown = self._ready.popleft()
            if self._shown.number >= number:
                return self._shown
        return None

    def _feed(self, number: int) -> None:
        """Decodes the next packet."""
        packet = next(self._packets, None)
        if packet is None or self._position >= len(self._plan.index.marks):
            self._ready.extend(self._numbered(self._reading.decode(None, self._position)))
            self._over = True
            return
        index = self._plan.index
        if self._entry is not None and index.marks[self._position] != mark(packet):
            self._astray = True
            return
        packet.pts = own = index.stamp(self._position)
        # Pictures that no other refers to need not be decoded on the way to the wanted one.
        passing = index.numbered and own is not None and own < number
        self._reading.decoder.skip_frame = "NONREF" if passing else "DEFAULT"
        before = len(self._reading.lost)
        self._ready.extend(self._numbered(self._reading.decode(packet, self._position)))
        self._counted += len(self._reading.lost) - before
        self._position += 1

    def _numbered(self, frames: list[VideoFrame]) -> Iterator[Numbered]:
        numbered = self._plan.index.numbered
        most = len(self._plan.index.times) - 1
        for frame in frames:
            if frame.pts is not None:
                self._counted = min(frame.pts, most)
            elif numbered:
                continue
            yield Numbered(min(self._counted, most), frame)
            self._counted += 1

    def _has_been_fed(self, number: int) -> bool:
        return self._plan.index.numbered and self._position > self._plan.place(number)

    def _may_drain(self, following: int | None) -> bool:
        if self._in_order or self._must_go_on:
            return False
        return following is None or self._plan.seek_to(following, self._position) is not None

    def _drain(self) -> None:
        """Has the decoder hand out all it holds, instead of feeding it further pictures until it does."""
        self._ready.extend(self._numbered(self._reading.decode(None, self._position)))
        if self._ready or self._shown is not None or self._entry is not None:
            self._over = self._drained = True
        else:
            # The wanted picture is damaged and there is none before it: go on to the next that can be decoded.
            self._reading.decoder.flush_buffers()
            self._must_go_on = True
