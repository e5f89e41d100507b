import { Problem } from './problem';
import { type ClientMessage, type Command, type ServerMessage, parseServerMessage } from './protocol';

/** How long a WebSocket may take to open. */
const OPEN_MS_MAX = 6_000;

/** How long an answer may take. Past this the connection is as good as lost; the server answers within a second. */
const ANSWER_MS_MAX = 8_000;

/** What is asked with a number, and answered with the same one. */
export type Request =
  | { type: 'publish' | 'subscribe'; sdp: string; restart?: true }
  | { type: 'command'; command: Command }
  | { type: 'ping' };

interface Pending {
  resolve: (sdp: string) => void;
  reject: (problem: Problem) => void;
  timer: ReturnType<typeof setTimeout>;
}

export interface SignallingHandlers {
  /** Everything that answers no request. */
  message: (message: ServerMessage) => void;
  /** Once, whoever closed it. */
  closed: () => void;
}

/** One WebSocket: frames to messages, requests to promises. Coming back is `Meeting`'s. */
export class Signalling {
  readonly #socket: WebSocket;
  readonly #handlers: SignallingHandlers;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #closed = false;

  private constructor(socket: WebSocket, handlers: SignallingHandlers) {
    this.#socket = socket;
    this.#handlers = handlers;
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') this.#receive(data);
    };
    socket.onclose = () => this.close();
  }

  static open(url: string, handlers: SignallingHandlers): Promise<Signalling> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      const fail = () => {
        clearTimeout(timer);
        socket.onopen = socket.onclose = null;
        socket.close();
        reject(Problem.local('unreachable'));
      };
      const timer = setTimeout(fail, OPEN_MS_MAX);
      socket.onclose = fail;
      socket.onopen = () => {
        clearTimeout(timer);
        resolve(new Signalling(socket, handlers));
      };
    });
  }

  send(message: ClientMessage): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** The answer's SDP; empty for what is done. */
  request(request: Request): Promise<string> {
    if (this.#closed) return Promise.reject(Problem.local('offline'));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id)?.reject(Problem.local('timeout')), ANSWER_MS_MAX);
      this.#pending.set(id, { resolve, reject, timer });
      this.send({ ...request, id });
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(Problem.local('offline'));
    this.#handlers.closed();
  }

  #receive(text: string): void {
    const message = parseServerMessage(text);
    if (!message) return;
    switch (message.type) {
      case 'answer':
        this.#settle(message.id)?.resolve(message.sdp);
        return;
      case 'done':
        this.#settle(message.id)?.resolve('');
        return;
      case 'refused':
        if (message.id != null) {
          this.#settle(message.id)?.reject(new Problem(message.problem));
          return;
        }
    }
    this.#handlers.message(message);
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending) clearTimeout(pending.timer);
    this.#pending.delete(id);
    return pending;
  }
}
