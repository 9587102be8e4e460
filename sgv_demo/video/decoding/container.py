"""Opening a stranger's file with FFmpeg's demuxers, safely: no references followed, every refusal one clear sentence.

Runs inside the reading process only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
from av.codec.context import CodecContext
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Discard, Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from sgv_demo.errors import VideoError
from sgv_demo.settings import Settings
from sgv_demo.video.decoding.sniff import reason_unopened, refuse_documents

_VIDEO_FORMATS: Final = (
    "mov,matroska,webm,avi,mpegts,mpeg,asf,flv,live_flv,ogg,gif,apng,webp_anim,h264,hevc,vvc,mpegvideo,m4v,h263,mjpeg,"
    "yuv4mpegpipe,ivf,obu,av1,vc1,rm,nut,mxf,dv,gxf,wtv,cavsvideo,dirac,swf,avs2,avs3,apv"
)
_SOUND_FORMATS: Final = "wav,w64,aiff,au,mp3,aac,ac3,eac3,flac,amr,caf,ape,wv,tta,dts,truehd,opus"
_STILL_FORMATS: Final = (
    "png_pipe,jpeg_pipe,jpegls_pipe,jpegxl_pipe,jpegxl_anim,webp_pipe,webp,bmp_pipe,tiff_pipe,gif_pipe,j2k_pipe,"
    "psd_pipe,dds_pipe,exr_pipe,hdr_pipe,ico,pam_pipe,pbm_pipe,pgm_pipe,ppm_pipe,qoi_pipe,sgi_pipe,xbm_pipe,xpm_pipe,"
    "pcx_pipe,sunrast_pipe,dpx_pipe,fits"
)
# Only these may open, and only local files: a playlist, manifest or script in disguise (hls, dash, concat, sdp, …) is
# refused before anything it names is touched.
_OPTIONS: Final = {
    "protocol_whitelist": "file",
    "format_whitelist": f"{_VIDEO_FORMATS},{_SOUND_FORMATS},{_STILL_FORMATS}",
    "analyzeduration": "4000000",
    "probesize": "8000000",
}
_MOST_DEMUX_ERRORS = 64
_WITH_ALPHA: Final = {"vp8": "libvpx", "vp9": "libvpx-vp9"}

NOTHING_DECODABLE = "No picture in this file can be decoded; export or upload it again."


def open_container(path: Path) -> InputContainer:
    """Opens `path` and nothing that it refers to.

    Raises:
        VideoError: FFmpeg doesn't recognise the content as one of the allowed kinds.
    """
    refuse_documents(path)
    try:
        # An absolute path behind "file:" takes any name literally: a leading dash, a colon, %03d, an http: prefix.
        return av.open(f"file:{path.absolute()}", options=_OPTIONS, metadata_errors="replace")
    except UnicodeEncodeError as error:
        raise VideoError("The file's name is not valid Unicode; rename it and try again.") from error
    except MemoryError as error:
        raise VideoError("Opening this file needs too much memory; export it again as MP4.") from error
    except (FFmpegError, OSError, ValueError) as error:
        raise VideoError(reason_unopened(path)) from error


def choose_stream(container: InputContainer, settings: Settings) -> VideoStream:
    """The stream to read; all others are left out.

    Raises:
        VideoError: there is none, only cover art or a still picture, no decoder, or the pictures are too large.
    """
    name = container.format.name
    if name.endswith("_pipe") or name in ("ico", "fits", "webp"):
        raise VideoError("This is a still picture, not a video; choose a video file.")
    moving = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not moving:
        if container.streams.video:
            raise VideoError("The only picture in this file is cover art; choose a file with a video track.")
        if container.streams.audio:
            raise VideoError("This file holds sound but no video track; choose a file with pictures.")
        raise VideoError("This file has no video track; choose a video file.")
    usable = [s for s in moving if s.codec_context is not None]
    if not usable:
        raise VideoError("There is no decoder for this file's video track; export it again as MP4 (H.264).")
    # A still beside an animation (AVIF, a poster) is not what people mean, even where it is marked as the default.
    chosen = max(usable, key=lambda s: (s.frames != 1, bool(s.disposition & Disposition.default), s.width * s.height))
    check_pixels(chosen.width, chosen.height, settings)
    for other in container.streams:
        if other.index != chosen.index:
            other.discard = Discard.all
    return chosen


def open_decoder(stream: VideoStream, settings: Settings) -> VideoCodecContext:
    """A decoder for `stream`, already open."""
    context = stream.codec_context
    # FFmpeg's own decoders of VP8 and VP9 leave transparency out.
    if stream.metadata.get("alpha_mode") == "1" and (name := _WITH_ALPHA.get(context.codec.canonical_name)):
        with_alpha = CodecContext.create(name, "r")
        assert isinstance(with_alpha, VideoCodecContext)
        with_alpha.width, with_alpha.height, with_alpha.extradata = context.width, context.height, context.extradata
        context = with_alpha
    context.options = {"max_pixels": str(settings.max_pixels)}
    context.thread_count = max(1, settings.reader_threads)
    # Frame threads hold a picture each: giant pictures are decoded with slice threads alone.
    context.thread_type = "AUTO" if stream.width * stream.height <= 12_000_000 else "SLICE"
    # Some decoders (libdav1d) read `skip_frame` only when they open and would leave pictures out ever after, so it must
    # not be set before this.
    context.open(strict=False)
    return context


def check_pixels(width: int, height: int, settings: Settings) -> None:
    """Raises VideoError when pictures of this size are over the limit."""
    if width * height > settings.max_pixels:
        raise VideoError(
            f"The pictures are {width}x{height}, over the limit of {settings.max_pixels / 1e6:g} megapixels; "
            "scale the video down first."
        )


def packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    """The stream's packets in file order, going on after damage; the last one is the empty one that flushes."""
    failures = 0
    while failures < _MOST_DEMUX_ERRORS:
        try:
            yield from container.demux(stream)
            return
        except MemoryError:
            raise
        except FFmpegError:
            failures += 1
