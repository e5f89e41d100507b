import type { ParticipantId, ShownTile, TrackKind } from './protocol';

/** Sizes are told in steps of so many pixels: a window that is drawn larger would otherwise tell of every one. */
const STEP = 16;

/** Changes within so long are told as one: a new page of a gallery is many. */
const TOGETHER_MS = 50;

interface Picture {
  participant: ParticipantId;
  kind: TrackKind;
  pinned: boolean;
  inView: boolean;
}

/** What a page shows of the others, and how large: the server sends that and no more. */
export class Viewer {
  readonly #tell: (tiles: ShownTile[]) => void;
  readonly #pictures = new Map<Element, Picture>();
  #resized: ResizeObserver | null = null;
  #scrolled: IntersectionObserver | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #told: string | null = null;

  constructor(tell: (tiles: ShownTile[]) => void) {
    this.#tell = tell;
  }

  /** This element shows somebody's picture, until the returned function is called. */
  watch(element: Element, participant: ParticipantId, kind: TrackKind, pinned: boolean): () => void {
    this.#resized ??= new ResizeObserver(() => this.#soon());
    this.#scrolled ??= new IntersectionObserver(entries => {
      for (const { target, isIntersecting } of entries) {
        const picture = this.#pictures.get(target);
        if (picture) picture.inView = isIntersecting;
      }
      this.#soon();
    });
    this.#pictures.set(element, { participant, kind, pinned, inView: false });
    this.#resized.observe(element);
    this.#scrolled.observe(element);
    return () => {
      this.#pictures.delete(element);
      this.#resized?.unobserve(element);
      this.#scrolled?.unobserve(element);
      this.#soon();
    };
  }

  /** A new connection knows nothing yet. A page that has never said what it shows gets all there is. */
  again(): void {
    this.#told = null;
    if (this.#resized) this.#soon();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#resized?.disconnect();
    this.#scrolled?.disconnect();
    this.#pictures.clear();
  }

  #soon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#say(), TOGETHER_MS);
  }

  #say(): void {
    const side = (pixels: number) => Math.ceil((pixels * globalThis.devicePixelRatio) / STEP) * STEP;
    const tiles = [...this.#pictures]
      .filter(([, { inView }]) => inView)
      .map(([element, { participant, kind, pinned }]) => {
        return {
          participant,
          kind,
          pinned,
          width: side(element.clientWidth),
          height: side(element.clientHeight),
        };
      });
    const text = JSON.stringify(tiles);
    if (text === this.#told) return;
    this.#told = text;
    this.#tell(tiles);
  }
}
