"""A recogniser of speech for Huitong's captions (docs/reference/captions.md): PocketSphinx, with the English that comes with it.

    pip install pocketsphinx==5.1.1 websockets==17.4
    python recogniser.py 127.0.0.1 2700

It understands clear English and little else; what it is good for is to show what another one has to do: to say what was said, and when."""

import json
import sys

from pocketsphinx import Decoder, Endpointer
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

RATE = 16_000


def listen(socket):
    """One broadcast, until it is over or somebody is gone."""
    try:
        recognise(socket)
    except ConnectionClosed:
        pass


def recognise(socket):
    """Sound comes in pieces of 100 ms, and a sentence goes back when a pause tells that it is one."""
    config = json.loads(socket.recv())["config"]
    if config["sample_rate"] != RATE:
        raise ValueError(config)
    decoder = Decoder(samprate=RATE, loglevel="FATAL")
    ends = Endpointer(sample_rate=RATE)
    waiting, speaks = b"", False
    for message in socket:
        if isinstance(message, str):  # {"eof" : 1}
            return
        waiting += message
        while len(waiting) >= ends.frame_bytes:
            frame, waiting = waiting[: ends.frame_bytes], waiting[ends.frame_bytes :]
            speech = ends.process(frame)
            if speech is None:
                continue
            if not speaks:
                decoder.start_utt()
                speaks = True
            decoder.process_raw(speech)
            if not ends.in_speech:
                decoder.end_utt()
                speaks = False
                if said := decoder.hyp():
                    answer = {"text": said.hypstr, "start": ends.speech_start, "end": ends.speech_end}
                    socket.send(json.dumps(answer))


if __name__ == "__main__":
    host, port = sys.argv[1], int(sys.argv[2])
    with serve(listen, host, port) as server:
        print(*server.socket.getsockname()[:2], flush=True)
        server.serve_forever()
