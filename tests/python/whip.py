"""An encoder that speaks WHIP and a viewer that speaks WHEP, both of somebody else's making (aiortc), driven by lines on stdin, answered
by a line each on stdout: `whip URL TOKEN CODEC HZ COLOUR`, `whep URL TOKEN`, `hear HZ...` (how loud each tone was in the last second
the viewer heard), `see COLOUR` (waits until the viewer sees it), `change COLOUR` (what the encoder shows; milliseconds until the
viewer saw it), `paint COLOUR` (the same, whoever sees it), `still` (waits until no picture has come to the viewer for a second), `watch SECONDS` (the
widths of all pictures the viewer sees meanwhile), `end whip|whep` (the status of DELETE), `gone whip|whep` (waits until the server has ended the connection)."""

import asyncio
import fractions
import math
import sys
import time
import urllib.error
import urllib.request

import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription

RATE = 48_000
SAMPLES = 960
WIDTH, HEIGHT, FPS = 640, 360, 25
# Y', Cb, Cr of BT.601.
COLOURS = {"red": (81, 90, 240), "green": (145, 54, 34), "blue": (41, 240, 110)}
PATIENCE = 30


class Tone(MediaStreamTrack):
    kind = "audio"

    def __init__(self, hz):
        super().__init__()
        self.hz, self.sent, self.begun = hz, 0, None

    async def recv(self):
        self.begun = self.begun or time.monotonic()
        await asyncio.sleep(max(0, self.begun + self.sent / RATE - time.monotonic()))
        wave = (int(6_500 * math.sin(math.tau * self.hz * (self.sent + n) / RATE)) for n in range(SAMPLES))
        frame = av.AudioFrame(format="s16", layout="mono", samples=SAMPLES)
        frame.planes[0].update(b"".join(sample.to_bytes(2, "little", signed=True) for sample in wave))
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.sent, fractions.Fraction(1, RATE)
        self.sent += SAMPLES
        return frame


class Picture(MediaStreamTrack):
    kind = "video"

    def __init__(self, colour):
        super().__init__()
        self.colour, self.sent, self.begun = colour, 0, None

    async def recv(self):
        self.begun = self.begun or time.monotonic()
        await asyncio.sleep(max(0, self.begun + self.sent / FPS - time.monotonic()))
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        for plane, value in zip(frame.planes, COLOURS[self.colour]):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.pts, frame.time_base = self.sent, fractions.Fraction(1, FPS)
        self.sent += 1
        return frame


class Session:
    def __init__(self):
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.location = self.token = None
        self.over = asyncio.Event()
        self.peer.on("connectionstatechange", self.changed)

    def changed(self):
        if self.peer.connectionState in ("closed", "failed"):
            self.over.set()

    async def begin(self, url, token):
        self.token = token
        await self.peer.setLocalDescription(await self.peer.createOffer())
        status, headers, body = await ask("POST", url, token, self.peer.localDescription.sdp, "application/sdp")
        if status != 201:
            await self.peer.close()
            return f"refused {status} {body}"
        self.location = url.split("/wh")[0] + headers["location"]
        assert headers["content-type"] == "application/sdp" and headers["etag"] and headers["accept-patch"]
        await self.peer.setRemoteDescription(RTCSessionDescription(body, "answer"))
        return "created"

    async def end(self):
        status, _, _ = await ask("DELETE", self.location, self.token)
        return str(status)


async def ask(method, url, token, body=None, kind=None):
    fields = {"Authorization": f"Bearer {token}"} if token != "-" else {}
    if kind:
        fields["Content-Type"] = kind
    request = urllib.request.Request(url, body and body.encode(), fields, method=method)

    def send():
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    return await asyncio.get_running_loop().run_in_executor(None, send)


class Viewer(Session):
    def __init__(self):
        super().__init__()
        self.samples, self.seen, self.widths = [], None, []
        self.looked, self.heard = asyncio.Event(), asyncio.Event()
        self.peer.addTransceiver("audio", direction="recvonly")
        self.peer.addTransceiver("video", direction="recvonly")
        self.peer.on("track", lambda track: asyncio.ensure_future(self.take(track)))

    async def take(self, track):
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        while True:
            try:
                frame = await track.recv()
            except Exception:
                return
            if track.kind == "audio":
                for piece in resampler.resample(frame):
                    data = bytes(piece.planes[0])[: piece.samples * 2]
                    self.samples += memoryview(data).cast("h").tolist()
                self.samples = self.samples[-RATE:]
                self.heard.set()
            else:
                middle = [bytes(plane)[plane.line_size * (plane.height // 2) + plane.width // 2] for plane in frame.planes]
                near = lambda colour: sum(abs(a - b) for a, b in zip(middle, COLOURS[colour]))
                self.seen = min(COLOURS, key=near)
                self.widths.append(frame.width)
                self.looked.set()

    async def see(self, colour):
        async with asyncio.timeout(PATIENCE):
            while self.seen != colour:
                self.looked.clear()
                await self.looked.wait()

    async def watch(self, seconds):
        self.widths = []
        await asyncio.sleep(seconds)
        return " ".join(map(str, self.widths)) or "nothing"

    async def still(self):
        async with asyncio.timeout(PATIENCE):
            while True:
                self.looked.clear()
                try:
                    await asyncio.wait_for(self.looked.wait(), 1)
                except TimeoutError:
                    return

    async def hear(self, tones):
        self.samples = []
        async with asyncio.timeout(PATIENCE):
            while len(self.samples) < RATE:
                self.heard.clear()
                await self.heard.wait()
        heard = self.samples[:RATE]

        def amplitude(hz):
            turn = math.tau * hz / RATE
            real = sum(sample * math.cos(turn * n) for n, sample in enumerate(heard))
            imaginary = sum(sample * math.sin(turn * n) for n, sample in enumerate(heard))
            return 2 * math.hypot(real, imaginary) / RATE / 32_768

        return " ".join(f"{amplitude(float(hz)):.4f}" for hz in tones)


class Client:
    encoder = viewer = picture = None

    async def whip(self, url, token, codec, hz, colour):
        self.encoder, self.picture = Session(), Picture(colour)
        self.encoder.peer.addTransceiver(Tone(float(hz)), direction="sendonly")
        sender = self.encoder.peer.addTransceiver(self.picture, direction="sendonly")
        codecs = RTCRtpSender.getCapabilities("video").codecs
        sender.setCodecPreferences([known for known in codecs if known.mimeType.lower() == f"video/{codec}"])
        return await self.encoder.begin(url, token)

    async def whep(self, url, token):
        self.viewer = Viewer()
        return await self.viewer.begin(url, token)

    async def hear(self, *tones):
        return await self.viewer.hear(tones)

    async def see(self, colour):
        await self.viewer.see(colour)
        return "seen"

    async def watch(self, seconds):
        return await self.viewer.watch(float(seconds))

    async def still(self):
        await self.viewer.still()
        return "still"

    async def paint(self, colour):
        self.picture.colour = colour
        return "painted"

    async def change(self, colour):
        self.picture.colour, before = colour, time.monotonic()
        await self.viewer.see(colour)
        return f"{(time.monotonic() - before) * 1000:.0f}"

    async def end(self, which):
        return await (self.encoder if which == "whip" else self.viewer).end()

    async def gone(self, which):
        session = self.encoder if which == "whip" else self.viewer
        async with asyncio.timeout(PATIENCE):
            await session.over.wait()
        return "gone"


async def main():
    lines, client = asyncio.StreamReader(), Client()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print("ready", flush=True)
    while line := (await lines.readline()).decode().split():
        try:
            print(await getattr(client, line[0])(*line[1:]), flush=True)
        except Exception as error:
            print("failed", repr(error), flush=True)


asyncio.run(main())
