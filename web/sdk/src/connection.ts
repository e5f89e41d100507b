import { backoff } from './backoff';
import { Problem } from './problem';

/**
 * Short gaps heal by themselves (RFC 7675: consent is lost after 30 s). After longer ones it is asked whether the server is
 * there at all: where the whole network is gone, the connection that was is back before any other could be.
 */
const DISCONNECTED_MS_MAX = 3_000;

/**
 * With the network there, a connection that isn't has lost its way, and goes on by another (ICE restart): that takes two round
 * trips. One that isn't back within this is begun anew.
 */
const RESTART_MS_MAX = 2_000;

/** A connection that isn't there by then won't come: it takes a tenth of a second where nothing is in the way. */
const CONNECT_MS_MAX = 10_000;

/**
 * Who isn't through by UDP within this is told of TCP. Browsers that know of both from the beginning take now one, now
 * the other, and by TCP each lost packet holds up all that follow it.
 */
const UDP_MS_MAX = 2_000;

const BY_TCP = /^a=candidate:\S+ \d+ tcp /i;

export interface ConnectionHandlers {
  /** TURN servers, for who gets through nowhere else. */
  iceServers: () => RTCIceServer[];
  /** Adds the m-lines to a new peer connection. */
  build: (peer: RTCPeerConnection) => void;
  /** Sends an offer, by which the connection that is goes on by another way or another one begins; gives the answer. */
  offer: (sdp: string, restart: boolean) => Promise<string>;
  /** The answer as it suits what is sent now. */
  suit?: (answer: string) => string;
  /** Resolves when the server has been heard of again. */
  alive: () => Promise<unknown>;
  /** Media flows, or doesn't any more. */
  connected: (connected: boolean) => void;
  /** Nothing was answered: the words' connection is lost as well. */
  unanswered: () => void;
}

/**
 * A peer connection that is begun anew whenever it fails. It is offered once, and again only to go on by another way; the
 * server's candidate is in the answer, and it learns ours from our checks, so that nothing is trickled.
 */
export class MediaConnection {
  readonly #handlers: ConnectionHandlers;
  #peer: RTCPeerConnection | null = null;
  #answer = '';
  #timer: ReturnType<typeof setTimeout> | undefined;
  #byTcp: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;
  /** So often it was lost: what was asked in an earlier gap says nothing about this one. */
  #gaps = 0;
  #connected = false;

  constructor(handlers: ConnectionHandlers) {
    this.#handlers = handlers;
  }

  get peer(): RTCPeerConnection | null {
    return this.#peer;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Begins, or begins anew. */
  async start(): Promise<void> {
    this.close();
    const peer = new RTCPeerConnection({
      bundlePolicy: 'max-bundle',
      iceServers: this.#handlers.iceServers(),
    });
    this.#peer = peer;
    peer.onconnectionstatechange = () => {
      if (this.#peer === peer) this.#follow(peer);
    };
    this.#after(CONNECT_MS_MAX);
    try {
      this.#handlers.build(peer);
      await this.#offer(peer, false);
    } catch (thrown) {
      if (this.#peer === peer) this.#fail(thrown);
    }
  }

  async #offer(peer: RTCPeerConnection, restart: boolean): Promise<void> {
    await peer.setLocalDescription();
    const sdp = await this.#handlers.offer(peer.localDescription?.sdp ?? '', restart);
    if (this.#peer === peer) await this.#accept(peer, sdp);
  }

  /** Goes on by another way once the server is there, unless it has come back by itself. */
  async #revive(peer: RTCPeerConnection): Promise<void> {
    const gap = this.#gaps;
    const isStillGone = () => this.#peer === peer && !this.#connected && this.#gaps === gap;
    try {
      await this.#handlers.alive();
      if (!isStillGone()) return;
      this.#after(RESTART_MS_MAX);
      peer.restartIce();
      await this.#offer(peer, true);
    } catch (thrown) {
      if (isStillGone()) this.#fail(thrown);
    }
  }

  #fail(thrown: unknown): void {
    const problem = Problem.from(thrown);
    if (problem.code === 'timeout') this.#handlers.unanswered();
    else if (problem.code !== 'offline') this.#retry();
  }

  /** Ends; `start` begins again. */
  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#byTcp);
    const peer = this.#peer;
    this.#peer = null;
    peer?.close();
    this.#tell(false);
  }

  async #accept(peer: RTCPeerConnection, answer: string): Promise<void> {
    const lines = answer.split('\r\n');
    const byTcp = lines.filter(line => BY_TCP.test(line));
    this.#answer = lines.filter(line => !BY_TCP.test(line)).join('\r\n');
    await this.#take(peer);
    if (this.#peer !== peer || this.#connected) return;
    this.#byTcp = setTimeout(() => {
      for (const line of byTcp) {
        // What the browser can't use it leaves out.
        peer.addIceCandidate({ candidate: line.slice(2), sdpMLineIndex: 0 }).catch(() => undefined);
      }
    }, UDP_MS_MAX);
  }

  /** What the answer is made of has changed: the browser's own matter, of which the server needs to know nothing. */
  async suit(): Promise<void> {
    const peer = this.#peer;
    // One that isn't answered yet will be suited then.
    if (peer?.signalingState !== 'stable' || !peer.remoteDescription) return;
    await peer.setLocalDescription();
    await this.#take(peer);
  }

  #take(peer: RTCPeerConnection): Promise<void> {
    const sdp = this.#handlers.suit?.(this.#answer) ?? this.#answer;
    return peer.setRemoteDescription({ type: 'answer', sdp });
  }

  #follow(peer: RTCPeerConnection): void {
    switch (peer.connectionState) {
      case 'connected':
        clearTimeout(this.#timer);
        clearTimeout(this.#byTcp);
        this.#attempt = 0;
        this.#tell(true);
        break;
      case 'disconnected':
        this.#gaps++;
        this.#tell(false);
        this.#after(DISCONNECTED_MS_MAX, () => this.#revive(peer));
        break;
      case 'failed':
      case 'closed':
        this.#retry();
    }
  }

  #retry(): void {
    this.#tell(false);
    this.#after(backoff(this.#attempt++));
  }

  #after(wait: number, then = () => this.start()): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void then(), wait);
  }

  #tell(connected: boolean): void {
    if (this.#connected === connected) return;
    this.#connected = connected;
    this.#handlers.connected(connected);
  }
}
