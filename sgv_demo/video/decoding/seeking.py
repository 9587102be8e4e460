"""Decoding towards one wanted picture after another, seeking where the plan says so."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from av import VideoFrame

from sgv_demo.video.decoding.container import packets
from sgv_demo.video.decoding.passes import Pass
from sgv_demo.video.decoding.plan import Plan


class Walk:
    """Wanted pictures come in increasing order. Decodes in order for good once a seek has landed late."""

    def __init__(self, reading: Pass, plan: Plan) -> None:
        self.reading, self.plan = reading, plan
        self._packets = packets(reading.container, reading.stream)
        self._position = 0  # packets fed so far, in decoding order
        self._ready: deque[VideoFrame] = deque()
        self._shown: VideoFrame | None = None
        self._fresh = False  # nothing has come out since the last seek
        self._in_order = False
        self._over = False
        self._emptied = False  # the decoder was emptied early, so it can only go on after a seek

    def picture(self, target: int, following: int | None) -> VideoFrame | None:
        """The picture at tick `target`, or where it is damaged the last one before it (else the next).

        `following` is the tick that will be asked for afterwards, None for none: whether the decoder's state is needed
        any longer depends on it. None comes back when nothing is decodable.
        """
        if self._shown is not None and _tick(self._shown) >= target:
            return self._shown
        if self._emptied or not self._ready or _tick(self._ready[-1]) < target:
            self.go_to(target)
        place = self.plan.place(target)
        while True:
            found = self._take(target)
            if found is not None or self._over:
                return found or self._shown
            if self._position > place and self._may_empty(following):
                self._empty()
            else:
                self._feed(target)

    def go_to(self, target: int) -> None:
        """Seeks if that is the cheaper way to the picture at `target`."""
        place = None if self._in_order else self.plan.seek_to(target, self._position)
        if place is not None:
            self._seek(place)

    def rest(self) -> Iterator[VideoFrame]:
        """All pictures from here on."""
        yield from self._ready
        for packet in self._packets:
            yield from self.reading.decode(packet)

    def _take(self, target: int) -> VideoFrame | None:
        """The answer among the pictures that are ready, or None when more must be decoded."""
        while self._ready:
            if _tick(self._ready[0]) > target:
                if self._fresh and not self._in_order:
                    # The seek led past the wanted picture, whatever the index says.
                    self._start_over()
                    return None
                if self._shown is not None:
                    return self._shown
            self._fresh = False
            self._shown = self._ready.popleft()
            if _tick(self._shown) >= target:
                return self._shown
        return None

    def _feed(self, target: int) -> None:
        packet = next(self._packets, None)
        if packet is None:
            self._over = True
            return
        needed = packet.pts is None or packet.pts >= target
        # Pictures that no other refers to need not be decoded on the way to the wanted one.
        self.reading.stream.codec_context.skip_frame = "DEFAULT" if needed else "NONREF"
        self._ready.extend(self.reading.decode(packet))
        if packet.size:
            self._position += 1

    def _may_empty(self, following: int | None) -> bool:
        if self._in_order:
            return False
        return following is None or self.plan.seek_to(following, self._position) is not None

    def _empty(self) -> None:
        """Has the decoder hand out all it holds, instead of feeding it further pictures until it does."""
        self._ready.extend(self.reading.decode(None))
        if self._ready or self._shown is not None:
            self._over = self._emptied = True
        else:
            # The wanted picture is damaged and there is none before it: go on to the next that can be decoded.
            self._in_order = True
            self.reading.stream.codec_context.flush_buffers()

    def _seek(self, place: int) -> None:
        scan, reading = self.plan.scan, self.reading
        # Matroska and MP4 are searched by presentation time, the others by decoding time.
        by_pts = reading.container.format.name.startswith(("matroska", "mov"))
        tick = scan.pts[place] if by_pts else scan.dts[place]
        reading.container.seek(int(tick), stream=reading.stream, backward=True)
        self._restart()
        first = next(self._packets, None)
        landed = None if first is None or first.pts is None else self.plan.place_or_none(first.pts)
        if first is None or landed is None or landed > place:
            self._start_over()
            return
        self.plan.seeks += 1
        self._fresh = True
        self._position = landed + 1
        self._ready.extend(reading.decode(first))

    def _start_over(self) -> None:
        """From the beginning, in order, from now on."""
        self._in_order = True
        self.reading.reopen()
        self._restart()
        self._position = 0

    def _restart(self) -> None:
        self._packets = packets(self.reading.container, self.reading.stream)
        self._ready.clear()
        self._shown = None
        self._over = self._emptied = False
        self._fresh = False


def _tick(frame: VideoFrame) -> int:
    return 0 if frame.pts is None else frame.pts
