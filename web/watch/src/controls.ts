import type { Player } from './player';
import { clock } from './watching';
import { word } from './words';

/** The bar below the picture: it goes back in a livestream that goes on, and through a film. */

/** How far J and L go, and the arrows: as in players that people know. */
const SEEK_S = 10;
const STEP_S = 5;

/** Nearer to the newest picture than this is live. */
const LIVE_S = 4;

const ICONS = {
  play: 'M8 5v14l11-7z',
  pause: 'M7 5h4v14H7zM13 5h4v14h-4z',
  loud: 'M4 9v6h4l5 5V4L8 9zM16 8a5 5 0 0 1 0 8z',
  silent: 'M4 9v6h4l5 5V4L8 9zM15 9l6 6M21 9l-6 6',
  large: 'M5 9V5h4M15 5h4v4M19 15v4h-4M9 19H5v-4',
  captions: 'M4 6h16v12H4zM10 10a2 2 0 1 0 0 4M17 10a2 2 0 1 0 0 4',
} as const;

interface Parts {
  frame: HTMLElement;
  video: HTMLVideoElement;
  seek: HTMLInputElement;
  time: HTMLElement;
  play: HTMLButtonElement;
  mute: HTMLButtonElement;
  volume: HTMLInputElement;
  quality: HTMLSelectElement;
  captions: HTMLButtonElement;
  full: HTMLButtonElement;
}

function draw(button: HTMLButtonElement, icon: keyof typeof ICONS, label: string): void {
  if (button.dataset['icon'] !== icon) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    svg.setAttribute('viewBox', '0 0 24 24');
    svg.setAttribute('aria-hidden', 'true');
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    path.setAttribute('d', ICONS[icon]);
    svg.append(path);
    button.replaceChildren(svg);
    button.dataset['icon'] = icon;
  }
  button.setAttribute('aria-label', label);
  button.title = label;
}

const isShowing = (track: TextTrack) => track.mode === 'showing';

export class Controls {
  private isDragging = false;
  private levels = '';

  /** `player` is null while there is none, and for a film. */
  constructor(
    private readonly parts: Parts,
    private readonly player: () => Player | null,
  ) {
    const { video, seek, play, mute, volume, quality, captions, full, frame } = parts;
    play.onclick = () => this.toggle();
    mute.onclick = () => (video.muted = !video.muted);
    volume.oninput = () => {
      video.volume = Number(volume.value) / 100;
      video.muted = video.volume === 0;
    };
    seek.onpointerdown = () => (this.isDragging = true);
    seek.onchange = () => {
      this.isDragging = false;
      this.goTo(Number(seek.value));
    };
    seek.oninput = () => this.showTime(Number(seek.value));
    quality.onchange = () => this.player()?.setLevel(Number(quality.value));
    captions.onclick = () => this.toggleCaptions();
    full.onclick = () => this.toggleFull();
    frame.ondblclick = event => {
      if (event.target === video) this.toggleFull();
    };
    video.onclick = () => this.toggle();
    document.addEventListener('keydown', event => this.key(event));
    for (const event of ['play', 'pause', 'volumechange', 'timeupdate', 'loadedmetadata'])
      video.addEventListener(event, () => this.render());
    setInterval(() => this.render(), 500);
  }

  render(): void {
    const { video, play, mute, volume, quality, captions, full, seek } = this.parts;
    draw(play, video.paused ? 'play' : 'pause', word(video.paused ? 'play' : 'pause'));
    draw(mute, video.muted ? 'silent' : 'loud', word(video.muted ? 'soundOn' : 'soundOff'));
    draw(full, 'large', word('full'));
    draw(captions, 'captions', word('captions'));
    volume.value = `${video.muted ? 0 : Math.round(video.volume * 100)}`;
    volume.setAttribute('aria-label', word('volume'));
    seek.setAttribute('aria-label', word('seek'));
    captions.hidden = this.captionTracks().length === 0;
    captions.setAttribute('aria-pressed', `${this.captionTracks().some(isShowing)}`);
    this.renderLevels(quality);
    const [start, end] = this.range();
    seek.min = `${start}`;
    seek.max = `${end}`;
    seek.disabled = end - start < 2;
    if (!this.isDragging) {
      // Live is the end of the bar, though the picture is a little behind it.
      const isLive = this.player() !== null && end - video.currentTime < LIVE_S;
      seek.value = `${isLive ? end : video.currentTime}`;
      this.showTime(video.currentTime);
    }
  }

  /** How far back there is something, and where it ends. */
  private range(): [number, number] {
    const { video } = this.parts;
    const { seekable } = video;
    if (Number.isFinite(video.duration) && !this.player()) return [0, video.duration];
    return seekable.length > 0 ? [seekable.start(0), seekable.end(seekable.length - 1)] : [0, 0];
  }

  private showTime(at: number): void {
    const { seek, time } = this.parts;
    const [start, end] = this.range();
    const isLive = this.player() !== null;
    const behind = Math.max(0, end - at);
    const text = isLive
      ? behind < LIVE_S
        ? word('live')
        : `−${clock(behind)}`
      : `${clock(at)} / ${clock(end)}`;
    time.textContent = text;
    seek.setAttribute('aria-valuetext', text);
    seek.style.setProperty('--done', `${end > start ? ((at - start) / (end - start)) * 100 : 100}%`);
  }

  private goTo(at: number): void {
    const [start, end] = this.range();
    const player = this.player();
    if (player && end - at < LIVE_S) player.toEdge();
    else this.parts.video.currentTime = Math.min(Math.max(at, start), end);
    this.render();
  }

  private toggle(): void {
    const { video } = this.parts;
    if (video.paused) void video.play().catch(() => undefined);
    else video.pause();
  }

  /** The player's own tracks of other kinds are nothing to read. */
  private captionTracks(): TextTrack[] {
    return [...this.parts.video.textTracks].filter(track => ['captions', 'subtitles'].includes(track.kind));
  }

  private toggleCaptions(): void {
    const tracks = this.captionTracks();
    const wanted = tracks.some(isShowing) ? 'hidden' : 'showing';
    for (const track of tracks) track.mode = wanted;
    this.render();
  }

  private toggleFull(): void {
    const { frame, video } = this.parts;
    if (document.fullscreenElement) void document.exitFullscreen();
    else if (document.fullscreenEnabled) void frame.requestFullscreen().catch(() => undefined);
    // Phones of Apple's show the picture alone.
    else (video as { webkitEnterFullscreen?: () => void }).webkitEnterFullscreen?.();
  }

  private renderLevels(select: HTMLSelectElement): void {
    const player = this.player();
    const heights = player?.heights() ?? [];
    const key = `${heights.join()} ${word('auto')}`;
    select.hidden = heights.length < 2;
    select.setAttribute('aria-label', word('quality'));
    if (key !== this.levels) {
      this.levels = key;
      const options = heights.map(
        (height, level) => new Option(height ? `${height}p` : word('soundOnly'), `${level}`),
      );
      select.replaceChildren(new Option(word('auto'), '-1'), ...options);
    }
    if (document.activeElement !== select) select.value = `${player?.level() ?? -1}`;
  }

  private key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    // A bar that was dragged keeps the focus: arrows and ends are its own, letters are not.
    const isBar = target instanceof HTMLInputElement && target.type === 'range';
    const isTyping = ['INPUT', 'SELECT', 'TEXTAREA'].includes(target.tagName) && !isBar;
    const isButton = target.tagName === 'BUTTON' || target.tagName === 'A';
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isBar && /^(Arrow|Home|End|Page)/.test(event.key)) return;
    const { video } = this.parts;
    const actions: Record<string, () => void> = {
      k: () => this.toggle(),
      m: () => (video.muted = !video.muted),
      f: () => this.toggleFull(),
      c: () => this.toggleCaptions(),
      j: () => this.goTo(video.currentTime - SEEK_S),
      l: () => this.goTo(video.currentTime + SEEK_S),
      ArrowLeft: () => this.goTo(video.currentTime - STEP_S),
      ArrowRight: () => this.goTo(video.currentTime + STEP_S),
      Home: () => this.goTo(this.range()[0]),
      End: () => this.goTo(this.range()[1]),
      ArrowUp: () => (video.volume = Math.min(1, video.volume + 0.1)),
      ArrowDown: () => (video.volume = Math.max(0, video.volume - 0.1)),
      ...(!isButton && { ' ': () => this.toggle() }),
    };
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }
}
