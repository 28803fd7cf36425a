"""Video files through ffmpeg as a child process: probe, decode with true times, encode.

The only file that knows imageio-ffmpeg. Frames are upright: ffmpeg applies the rotation flag.
"""

from __future__ import annotations

import queue
import re
import subprocess
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .api.errors import FootageError

NOT_A_VIDEO = "Give a video (mp4, mov, avi, webm), an image, or a folder of images."
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class VideoStream:
    """The first video stream of a file, upright."""

    width: int
    height: int
    fps: float
    duration: float  # seconds, 0 when the file does not say
    has_alpha: bool
    decoder: str  # "" for ffmpeg's own choice


def ffmpeg() -> str:
    """Path of the ffmpeg program."""
    import imageio_ffmpeg

    return imageio_ffmpeg.get_ffmpeg_exe()


def probe(path: Path) -> VideoStream:
    """What the first video stream is. Raises FootageError when there is none."""
    command = [ffmpeg(), "-hide_banner", "-nostdin", "-i", str(path), *_FIRST_FRAME]
    # No frame of a whole video takes ffmpeg a minute; a hang must not become ours.
    done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
    text = done.stderr.decode("utf-8", "replace")
    line = re.search(r"Stream #0[^\n]*: Video: ([^\n]*)", text)
    # The first decoded frame's size, after rotation; the header's is before it.
    shown = re.search(r"Output #0.*?Video: rawvideo[^\n]*?, (\d+)x(\d+)", text, re.DOTALL)
    if line is None or shown is None or not done.stdout:
        raise FootageError(f"{path.name} cannot be read as a video.", NOT_A_VIDEO)
    header = line.group(1)
    vpx_alpha = re.search(r"alpha_mode\s*: 1", text) is not None
    codec = header.split()[0].strip(",")
    return VideoStream(
        width=int(shown.group(1)),
        height=int(shown.group(2)),
        fps=_frames_per_second(header),
        duration=_duration(text),
        has_alpha=vpx_alpha or re.search(r"\b(yuva|rgba|argb|bgra|gbrap|ya8)", header) is not None,
        # ffmpeg's own VP8 and VP9 decoders drop the alpha plane; libvpx keeps it.
        decoder={"vp9": "libvpx-vp9", "vp8": "libvpx"}.get(codec, "") if vpx_alpha else "",
    )


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


def decode(path: Path, alpha: bool) -> Iterator[tuple[float, np.ndarray]]:
    """(time in seconds, image [H, W, 3 or 4] uint8) of every frame once, as stamped in the file."""
    stream = probe(path)
    channels = 4 if alpha else 3
    command = [ffmpeg(), "-hide_banner", "-nostdin"]
    command += ["-c:v", stream.decoder] if stream.decoder else []
    command += ["-i", str(path), "-map", "0:v:0", "-vf", "showinfo=checksum=0"]
    # passthrough: a variable frame rate keeps its frames, none is repeated or dropped.
    command += ["-fps_mode", "passthrough", "-f", "rawvideo"]
    command += ["-pix_fmt", "rgba" if alpha else "rgb24", "-"]
    size = stream.height * stream.width * channels
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        times: queue.Queue[float] = queue.Queue()
        reader = threading.Thread(target=_read_times, args=(process, times), daemon=True)
        reader.start()
        try:
            while len(data := process.stdout.read(size)) == size:
                image = np.frombuffer(data, np.uint8)
                yield (
                    times.get(timeout=TIMEOUT_SECONDS),
                    image.reshape(stream.height, stream.width, channels),
                )
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
        command += [
            "-c:v",
            "libvpx-vp9",
            "-crf",
            "16",
            "-b:v",
            "0",
            "-row-mt",
            "1",
            "-cpu-used",
            "4",
        ]
        command += ["-pix_fmt", "yuva420p" if alpha else "yuv420p"]
    else:
        command += ["-c:v", "libx264", "-crf", "16", "-pix_fmt", "yuv420p"]
        command += ["-movflags", "+faststart"]
    command += ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", str(path)]
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
