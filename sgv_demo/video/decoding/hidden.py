"""Which packets hold no picture of their own: hidden reference frames of VP8 and VP9, second fields of H.264."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from av.packet import Packet
from av.video.stream import VideoStream

Hidden = Callable[[Packet], bool]

_HIGH_PROFILES = (44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244)
_SPS, _SLICES = 7, (1, 2, 5)
_HEAD_BYTES = 64
"""More than a slice header's first fields take."""


def hidden_in(stream: VideoStream) -> Hidden:
    """A function that is asked about every packet of `stream` in decoding order, and says which are not shown."""
    codec = stream.codec_context.codec.canonical_name
    if codec == "vp8":
        return _hidden_vp8
    if codec == "vp9":
        return _hidden_vp9
    if codec == "h264":
        return _SecondFields(stream.codec_context.extradata or b"")
    return lambda _: False


def _hidden_vp8(packet: Packet) -> bool:
    return not memoryview(packet)[0] & 0x10


def _hidden_vp9(packet: Packet) -> bool:
    data = memoryview(packet)
    if data[-1] & 0xE0 == 0xC0:
        # A superframe: hidden frames and the one that is shown.
        return False
    profile = data[0] >> 5 & 1 | data[0] >> 3 & 2
    flags = data[0] >> (0 if profile == 3 else 1)
    shows_existing, shows = flags & 4, flags & 1
    return not (shows_existing or shows)


@dataclass(frozen=True, slots=True)
class _Sequence:
    """What a sequence parameter set says about slice headers (ITU-T H.264, 7.3.2.1.1)."""

    fields: bool
    """Whether pictures may be coded as two fields."""
    frame_num_bits: int
    separate_planes: bool


class _SecondFields:
    """Tells the second field of a picture, which comes in a packet of its own, from the first."""

    def __init__(self, extradata: bytes) -> None:
        self._length_size = (extradata[4] & 3) + 1 if len(extradata) > 6 and extradata[0] == 1 else 0
        self._sequence: _Sequence | None = None
        self._first: tuple[int, int] | None = None
        # Behind avcC's fixed part stands the length of its first parameter set in two bytes.
        units = [extradata[8:]] if self._length_size else list(_behind_start_codes(extradata))
        self._learn(units)

    def __call__(self, packet: Packet) -> bool:
        # Where the parameter set allows no fields, packets need not be looked into.
        if self._sequence is None or not self._sequence.fields:
            return False
        data = bytes(packet)
        units = list(_behind_lengths(data, self._length_size) if self._length_size else _behind_start_codes(data))
        self._learn(units)
        slice_unit = next((unit for unit in units if unit and unit[0] & 31 in _SLICES), None)
        field = None if slice_unit is None else self._field(slice_unit)
        second = field is not None and self._first is not None and field == (self._first[0], 1 - self._first[1])
        self._first = None if second else field
        return second

    def _learn(self, units: list[bytes]) -> None:
        for unit in units:
            if unit and unit[0] & 31 == _SPS:
                try:
                    self._sequence = _sequence(unit)
                except IndexError:
                    # A damaged parameter set says nothing; the decoder copes or fails on its own.
                    continue

    def _field(self, unit: bytes) -> tuple[int, int] | None:
        """(frame_num, 1 for a bottom field) of a slice of a field; None for one of a whole frame (7.3.3)."""
        assert self._sequence is not None
        bits = _Bits(unit[1:_HEAD_BYTES])
        try:
            for _ in ("first_mb_in_slice", "slice_type", "pic_parameter_set_id"):
                bits.golomb()
            if self._sequence.separate_planes:
                bits.take(2)
            frame_num = bits.take(self._sequence.frame_num_bits)
            return (frame_num, bits.take(1)) if bits.take(1) else None
        except IndexError:
            return None


def _sequence(unit: bytes) -> _Sequence:
    bits = _Bits(unit[1:])
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()
    planes = _skip_high_profile(bits) if profile in _HIGH_PROFILES else False
    frame_num_bits = bits.golomb() + 4
    order_type = bits.golomb()
    if order_type == 0:
        bits.golomb()
    elif order_type == 1:
        bits.take(1)
        bits.golomb()
        bits.golomb()
        for _ in range(bits.golomb()):
            bits.golomb()
    bits.golomb()
    bits.take(1)
    bits.golomb()
    bits.golomb()
    return _Sequence(not bits.take(1), frame_num_bits, planes)


def _skip_high_profile(bits: _Bits) -> bool:
    """Reads on to log2_max_frame_num; returns whether the colour planes are coded apart."""
    chroma = bits.golomb()
    planes = bool(bits.take(1)) if chroma == 3 else False
    bits.golomb()
    bits.golomb()
    bits.take(1)
    if bits.take(1):
        for i in range(8 if chroma != 3 else 12):
            if bits.take(1):
                _skip_scaling_list(bits, 16 if i < 6 else 64)
    return planes


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed_golomb()) % 256
        last = following or last


class _Bits:
    """Reads a NAL unit's payload bit by bit; IndexError behind its end."""

    def __init__(self, data: bytes) -> None:
        # A 3 that was put in so that no start code appears inside.
        self._data = data.replace(b"\0\0\3", b"\0\0")
        self._at = 0

    def take(self, count: int) -> int:
        """The next `count` bits as a number."""
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1
            self._at += 1
        return value

    def golomb(self) -> int:
        """An unsigned Exp-Golomb number (9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def signed_golomb(self) -> int:
        """A signed Exp-Golomb number (9.1.1)."""
        code = self.golomb()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def _behind_start_codes(data: bytes) -> Iterator[bytes]:
    at = data.find(b"\0\0\1")
    while at >= 0:
        following = data.find(b"\0\0\1", at + 3)
        yield data[at + 3 : following if following >= 0 else len(data)]
        at = following


def _behind_lengths(data: bytes, size: int) -> Iterator[bytes]:
    at = 0
    while at + size < len(data):
        length = int.from_bytes(data[at : at + size])
        yield data[at + size : at + size + length]
        at += size + length
