import type { ParticipantId, ShownTile, TrackKind } from './protocol';

/** Sizes are told in steps of so many pixels: a window that is drawn larger would otherwise tell of every one. */
const STEP = 16;

/** Changes within so long are told as one: a new page of a gallery is many. */
const TOGETHER_MS = 50;

/**
 * A page that is hidden for so long is sent no pictures, unless one of them floats over others. Less, and whoever looks
 * something up waits for pictures when he is back; more, and his line and battery carry what nobody sees.
 */
const HIDDEN_MS = 10_000;

const SEEN_OR_NOT = ['visibilitychange', 'enterpictureinpicture', 'leavepictureinpicture'] as const;

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
  #isAway = false;
  #hidden: ReturnType<typeof setTimeout> | undefined;

  constructor(tell: (tiles: ShownTile[]) => void) {
    this.#tell = tell;
  }

  /** This element shows somebody's picture, until the returned function is called. */
  watch(element: Element, participant: ParticipantId, kind: TrackKind, pinned: boolean): () => void {
    if (!this.#resized) {
      for (const name of SEEN_OR_NOT) document.addEventListener(name, this.#look);
      this.#look();
    }
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
    clearTimeout(this.#hidden);
    if (this.#resized) for (const name of SEEN_OR_NOT) document.removeEventListener(name, this.#look);
    this.#resized?.disconnect();
    this.#scrolled?.disconnect();
    this.#pictures.clear();
  }

  /** Whether anybody sees the page may have changed. */
  readonly #look = (): void => {
    clearTimeout(this.#hidden);
    const isSeen = document.visibilityState !== 'hidden' || document.pictureInPictureElement != null;
    if (isSeen) this.#turnAway(false);
    else this.#hidden = setTimeout(() => this.#turnAway(true), HIDDEN_MS);
  };

  #turnAway(isAway: boolean): void {
    if (this.#isAway === isAway) return;
    this.#isAway = isAway;
    this.#soon();
  }

  #soon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#say(), TOGETHER_MS);
  }

  #say(): void {
    const side = (pixels: number) => Math.ceil((pixels * globalThis.devicePixelRatio) / STEP) * STEP;
    const tiles = [...this.#pictures]
      .filter(([, { inView }]) => inView && !this.#isAway)
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
