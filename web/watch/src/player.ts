import Hls, { type ErrorData, Events, ErrorTypes } from 'hls.js';
import { Hurry } from './watching';

/** How the picture does. */
export type Playing = 'loading' | 'playing' | 'buffering' | 'broken' | 'ended' | 'unplayable';

/** Further behind than this it is no longer what "live" means, and going back to the edge is offered. */
const EDGE_S_MAX = 8;

/** So much of the oldest that can be had is passed over, in seconds, by whoever goes back to it: what is older goes away meanwhile. */
const OLDEST_S = 0.1;

/** The same for whoever was away: two segments, so that he has time to look around and goes on even where he pauses again. */
const CAME_BACK_S = 4;

/** What is fetched ahead at most, in seconds. hls.js fetches minutes for whoever has paused or gone back. */
const AHEAD_S_MAX = 30;

/** Plays one playlist until it is destroyed; whoever made it makes another when it breaks. */
export interface Player {
  /** Seconds from the studio to the viewer; null while unknown. */
  latency: () => number | null;
  isAtEdge: () => boolean;
  toEdge: () => void;
  /** Lines of each choice of picture, 0 for sound alone; empty where the browser chooses by itself. */
  heights: () => number[];
  /** The choice, -1 where the player chooses. */
  level: () => number;
  setLevel: (level: number) => void;
  destroy: () => void;
}

/** `missed` is called when somebody goes on who was away for longer than is kept: not where he stopped, but with the oldest there is. */
export function play(
  video: HTMLVideoElement,
  playlist: string,
  tell: (playing: Playing) => void,
  missed: () => void,
): Player {
  if (!Hls.isSupported() && !video.canPlayType('application/vnd.apple.mpegurl')) {
    tell('unplayable');
    return NOTHING;
  }
  const listeners = follow(video, tell);
  const player = Hls.isSupported() ? withHls(video, playlist, tell, missed) : natively(video, playlist, tell);
  return {
    ...player,
    isAtEdge: () => (player.latency() ?? 0) < EDGE_S_MAX,
    toEdge: () => {
      player.toEdge();
      void video.play();
    },
    destroy: () => {
      listeners.abort();
      player.destroy();
    },
  };
}

/** What a browser has that plays no livestream. */
const NOTHING: Player = {
  latency: () => null,
  isAtEdge: () => true,
  toEdge: () => undefined,
  heights: () => [],
  level: () => -1,
  setLevel: () => undefined,
  destroy: () => undefined,
};

function follow(video: HTMLVideoElement, tell: (playing: Playing) => void): AbortController {
  const listeners = new AbortController();
  const on = (event: string, playing: Playing) =>
    video.addEventListener(event, () => tell(playing), { signal: listeners.signal });
  on('playing', 'playing');
  on('waiting', 'buffering');
  on('ended', 'ended');
  return listeners;
}

type Engine = Omit<Player, 'isAtEdge'>;

function withHls(
  video: HTMLVideoElement,
  playlist: string,
  tell: (playing: Playing) => void,
  missed: () => void,
): Engine {
  const hls = new Hls({
    lowLatencyMode: true,
    // Each time the picture stood still, stay so much further behind. At the default of a second, two hiccups at the
    // start cost the viewer two seconds for good.
    liveSyncOnStallIncrease: 0.2,
    backBufferLength: 30,
    maxMaxBufferLength: AHEAD_S_MAX,
    // What can be gone back to begins with the oldest there is, and not where this viewer came in.
    liveDurationInfinity: true,
    // The page watches the state itself and begins anew: long silent retries would only hide that.
    manifestLoadPolicy: quick(),
    playlistLoadPolicy: quick(),
  });
  let isMended = false;
  hls.on(Events.ERROR, (_, { fatal, type }: ErrorData) => {
    if (!fatal) return;
    if (type === ErrorTypes.MEDIA_ERROR && !isMended) {
      isMended = true;
      hls.recoverMediaError();
    } else {
      tell('broken');
    }
  });
  const hurry = new Hurry();
  const catchUp = () => {
    const { buffered, currentTime } = video;
    const ahead = buffered.length > 0 ? buffered.end(buffered.length - 1) - currentTime : 0;
    const rate = hurry.rateAt(performance.now() / 1000, hls.latency, ahead, hls.targetLatency ?? hls.latency);
    if (video.playbackRate !== rate) video.playbackRate = rate;
  };
  const oldest = () => {
    const sound = hls.audioTracks[hls.audioTrack]?.details;
    return Math.max(hls.latestLevelDetails?.fragmentStart ?? 0, sound?.fragmentStart ?? 0);
  };
  // hls.js fetches nothing for a place before the oldest there is of sound or picture, be it by a rounding error, and waits there for ever.
  const stayWithin = () => {
    if (video.seeking && video.currentTime < oldest()) video.currentTime = oldest() + OLDEST_S;
  };
  // hls.js would play what it fetched before the viewer went, and then leap to the newest.
  const comeBack = () => {
    const { buffered, currentTime } = video;
    const from = oldest();
    const fetched = buffered.length > 0 ? buffered.end(buffered.length - 1) : currentTime;
    if (Math.max(fetched, currentTime) >= from || video.played.length === 0) return;
    video.currentTime = from + CAME_BACK_S;
    missed();
  };
  hls.on(Events.LEVEL_UPDATED, stayWithin);
  hls.on(Events.AUDIO_TRACK_UPDATED, stayWithin);
  video.addEventListener('seeking', stayWithin);
  video.addEventListener('play', comeBack);
  video.addEventListener('timeupdate', catchUp);
  hls.loadSource(playlist);
  hls.attachMedia(video);
  return {
    latency: () => (hls.levels.length > 0 && hls.latency > 0 ? hls.latency : null),
    toEdge: () => {
      if (hls.liveSyncPosition !== null) video.currentTime = hls.liveSyncPosition;
    },
    heights: () => hls.levels.map(level => level.height),
    level: () => (hls.autoLevelEnabled ? -1 : hls.nextLevel),
    setLevel: level => {
      hls.nextLevel = level;
    },
    destroy: () => {
      video.removeEventListener('timeupdate', catchUp);
      video.removeEventListener('seeking', stayWithin);
      video.removeEventListener('play', comeBack);
      video.playbackRate = 1;
      hls.destroy();
    },
  };
}

/** A request may be held back by the server until there is something new: six seconds and a margin. */
function quick() {
  const retry = { maxNumRetry: 3, retryDelayMs: 500, maxRetryDelayMs: 2_000 };
  return {
    default: { maxTimeToFirstByteMs: 10_000, maxLoadTimeMs: 15_000, timeoutRetry: retry, errorRetry: retry },
  };
}

/** Safari on phones plays HLS itself and has no place for a script to do it. */
function natively(video: HTMLVideoElement, playlist: string, tell: (playing: Playing) => void): Engine {
  const broken = () => tell('broken');
  video.addEventListener('error', broken);
  video.src = playlist;
  return {
    latency: () => {
      // What EXT-X-PROGRAM-DATE-TIME says the picture's time is; only Safari has this.
      const start = (video as { getStartDate?: () => Date }).getStartDate?.().getTime() ?? Number.NaN;
      return Number.isNaN(start) ? null : Math.max(0, (Date.now() - start) / 1000 - video.currentTime);
    },
    toEdge: () => {
      const { seekable } = video;
      if (seekable.length > 0) video.currentTime = seekable.end(seekable.length - 1) - 2;
    },
    heights: () => [],
    level: () => -1,
    setLevel: () => undefined,
    destroy: () => {
      video.removeEventListener('error', broken);
      video.removeAttribute('src');
      video.load();
    },
  };
}
