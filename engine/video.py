"""Video files through ffmpeg as a child process: probe, decode with true times, encode.

The only file that knows imageio-ffmpeg. Frames are upright sRGB with square pixels, whatever the
file stores: a rotation flag, interlaced lines, BT.601, BT.2020, high dynamic range.
"""

from __future__ import annotations

import queue
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .api.errors import FootageError
from .imaging import interleaved
from .tone_mapping import needs_mapping, write_cube

NOT_A_VIDEO = "Give a video (mp4, mov, avi, webm), an image, or a folder of images."
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class VideoStream:
    """The first video stream of a file, upright and with square pixels."""

    width: int
    height: int
    fps: float
    duration: float  # seconds, 0 when the file does not say
    has_alpha: bool
    decoder: str  # "" for ffmpeg's own choice
    matrix: str = "bt709"  # of Y'CbCr, as ffmpeg's scale filter calls it
    primaries: str = "bt709"
    transfer: str = "bt709"
    full_range: bool = False
    interlaced: bool = False

    def filters(self, table: str) -> str:
        """ffmpeg's filters from stored to upright sRGB frames; `table` is a .cube file's name."""
        # Planes take ffmpeg half as long as interleaved colours, and are the same to the bit.
        planes = "gbrap" if self.has_alpha else "gbrp"
        chain = ["bwdif=mode=send_frame"] if self.interlaced else []
        # A fixed size also holds where the stream changes its own halfway.
        scale = f"scale={self.width}:{self.height}:in_color_matrix={self.matrix}"
        scale += f":in_range={'full' if self.full_range else 'limited'}:out_range=full"
        chain.append(f"{scale}:flags=bicubic+accurate_rnd+full_chroma_int")
        if table:
            chain += [f"format={planes}12", f"lut3d=file={table}:interp=tetrahedral"]
        return ",".join([*chain, f"format={planes}", "showinfo=checksum=0"])


def ffmpeg() -> str:
    """Path of the ffmpeg program."""
    import imageio_ffmpeg

    return imageio_ffmpeg.get_ffmpeg_exe()


def probe(path: Path) -> VideoStream:
    """What the first video stream is. Raises FootageError when there is none."""
    command = [ffmpeg(), "-hide_banner", "-nostdin", "-i", str(path), *_FIRST_FRAME]
    try:
        # No frame of a whole video takes ffmpeg a minute; a hang must not become ours.
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise FootageError(f"{path.name} takes too long to open.", NOT_A_VIDEO) from error
    text = done.stderr.decode("utf-8", "replace")
    line = re.search(r"Stream #0[^\n]*: Video: ([^\n]*)", text)
    if line is None and re.search(r"Stream #0[^\n]*: Audio: ", text):
        raise FootageError(f"{path.name} holds sound but no pictures.", NOT_A_VIDEO)
    # The first decoded frame's size, after rotation; the header's is before it.
    shown = re.search(
        r"Output #0.*?Video: rawvideo[^\n]*?, (\d+)x(\d+)(?: \[SAR (\d+):(\d+))?", text, re.DOTALL
    )
    if line is None or shown is None or not done.stdout:
        raise FootageError(f"{path.name} cannot be read as a video.", NOT_A_VIDEO)
    header = line.group(1)
    vpx_alpha = re.search(r"alpha_mode\s*: 1", text) is not None
    codec = header.split()[0].strip(",")
    width, height = _square_pixels(*(int(part or 1) for part in shown.groups()))
    return VideoStream(
        width=width,
        height=height,
        fps=_frames_per_second(header),
        duration=_duration(text),
        has_alpha=vpx_alpha or re.search(r"\b(yuva|rgba|argb|bgra|gbrap|ya8)", header) is not None,
        # ffmpeg's own VP8 and VP9 decoders drop the alpha plane; libvpx keeps it.
        decoder={"vp9": "libvpx-vp9", "vp8": "libvpx"}.get(codec, "") if vpx_alpha else "",
        **_colours(header, min(width, height)),
    )


def _square_pixels(width: int, height: int, wide: int, tall: int) -> tuple[int, int]:
    """The size that shows pixels of the shape wide:tall as squares; nothing is thrown away."""
    aspect = wide / tall if 0.25 <= wide / max(tall, 1) <= 4 else 1.0
    return (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))


def _colours(header: str, short_side: int) -> dict[str, Any]:
    """How the stream's header says colours and lines are stored, with what is usual if not."""
    found = re.search(r", (\w+)(?:\(([^()]*(?:\([^()]*\)[^()]*)*)\))?, \d+x\d+", header)
    pixels, words = (found.group(1), found.group(2) or "") if found else ("", "")
    tags = [word.strip() for word in words.split(",")]
    colour = next((tag for tag in tags if tag.startswith(_COLOUR_TAGS)), "unknown")
    matrix, primaries, transfer = (colour.split("/") * 3)[:3]
    # Without a tag, small pictures are BT.601 and large ones BT.709, as players take it.
    usual = "bt709" if short_side >= 720 else "bt601"
    return {
        "matrix": _MATRICES.get(matrix, usual),
        "primaries": primaries,
        "transfer": transfer,
        "full_range": "pc" in tags or pixels.startswith("yuvj"),
        "interlaced": any(tag.startswith(("top ", "bottom ")) for tag in tags),
    }


_MATRICES = {
    "bt709": "bt709", "smpte170m": "bt601", "bt470bg": "bt601", "fcc": "fcc",
    "smpte240m": "smpte240m", "bt2020nc": "bt2020", "bt2020c": "bt2020", "bt2020": "bt2020",
}  # fmt: skip
_COLOUR_TAGS = (*_MATRICES, "unknown/", "gbr", "reserved", "bt470m", "ictcp")
_FIRST_FRAME = ["-map", "0:v:0", "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-"]


def _frames_per_second(header: str) -> float:
    for unit in ("fps", "tbr"):
        match = re.search(rf"([\d.]+)(k?) {unit}", header)
        if match and 0 < (rate := float(match.group(1)) * (1000 if match.group(2) else 1)) <= 480:
            return rate
    return 25.0


def _duration(text: str) -> float:
    match = re.search(r"Duration: (\d+):(\d+):([\d.]+)", text)
    if match is None:
        return 0.0
    hours, minutes, seconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def decode(path: Path, stream: VideoStream) -> Iterator[tuple[float, np.ndarray]]:
    """(time in seconds, image [H, W, 3 or 4] uint8) of every frame once, as stamped in the file.

    `stream` is what probe found in it; with alpha, images have four channels.
    """
    with tempfile.TemporaryDirectory() as scratch:
        yield from _decode(path.absolute(), stream, Path(scratch))


def _decode(path: Path, stream: VideoStream, scratch: Path) -> Iterator[tuple[float, np.ndarray]]:
    channels, table = 4 if stream.has_alpha else 3, ""
    if needs_mapping(stream.primaries, stream.transfer):
        table = "colours.cube"
        write_cube(scratch / table, stream.primaries, stream.transfer)
    command = [ffmpeg(), "-hide_banner", "-nostdin"]
    command += ["-c:v", stream.decoder] if stream.decoder else []
    command += ["-i", str(path), "-map", "0:v:0", "-vf", stream.filters(table)]
    # passthrough: a variable frame rate keeps its frames, none is repeated or dropped.
    command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-"]
    size = stream.height * stream.width * channels
    # Run in the folder of the table: a filter's argument may hold no drive letter or colon.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=scratch
    ) as process:
        assert process.stdout is not None
        times: queue.Queue[float] = queue.Queue()
        reader = threading.Thread(target=_read_times, args=(process, times), daemon=True)
        reader.start()
        try:
            while len(data := process.stdout.read(size)) == size:
                green, blue, red, *rest = np.frombuffer(data, np.uint8).reshape(
                    channels, stream.height, stream.width
                )
                image = interleaved([red, green, blue, *rest])
                yield times.get(timeout=TIMEOUT_SECONDS), image
        finally:
            process.kill()
            reader.join()


def _read_times(process: subprocess.Popen[bytes], times: queue.Queue[float]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        match = re.search(rb"Parsed_showinfo.* pts_time:\s*(-?[\d.]+)", line)
        if match:
            times.put(float(match.group(1)))


def encode(
    path: Path,
    frames: Iterable[np.ndarray],
    width: int,
    height: int,
    fps: float,
    alpha: bool = False,
) -> None:
    """Write RGB frames [H, W, 3] uint8, visually lossless: H.264, or VP9 into a .webm. Only that
    keeps `alpha`, of straight RGBA frames [H, W, 4]. Raises OSError."""
    kept = "rgba" if alpha else "rgb24"
    command = [ffmpeg(), "-hide_banner", "-loglevel", "error", "-y", "-f", "rawvideo"]
    command += ["-pix_fmt", kept, "-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", "-"]
    if path.suffix.lower() == ".webm":
        command += ["-c:v", "libvpx-vp9", "-crf", "16", "-b:v", "0", "-row-mt", "1"]
        command += ["-cpu-used", "4"]
    else:
        command += ["-c:v", "libx264", "-crf", "16", "-movflags", "+faststart"]
    # Said as well as done: without a tag players guess the matrix from the size.
    written = "scale=out_color_matrix=bt709:out_range=limited:flags=bicubic+accurate_rnd"
    written += f",format={'yuva420p' if alpha else 'yuv420p'},pad=ceil(iw/2)*2:ceil(ih/2)*2"
    tagged = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=limited"
    command += ["-vf", f"{written},{tagged}", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            for frame in frames:
                process.stdin.write(np.ascontiguousarray(frame).tobytes())
            process.stdin.close()
        except BrokenPipeError:
            pass  # ffmpeg's own words, below, say why
        words = process.stderr.read().decode("utf-8", "replace").strip()
    if process.returncode:
        raise OSError(f"ffmpeg cannot write {path}: {words}")
