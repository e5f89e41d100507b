import { ATTEND_MS, type Access, type Attendance, Attending, type Barred } from './attending';
import { Beside } from './beside';
import { Controls } from './controls';
import type { Player, Playing } from './player';
import { Registering } from './registering';
import { type Known, type View, askAgainAfter, viewOf } from './watching';
import { currentLanguage, otherLanguage, startWords, word } from './words';

/** `/watch/{id}`: finds the livestream, plays it, and says what there is to say when it can't. */

interface BroadcastInfo {
  /** Of the livestream that the address leads to now; a meeting's next one has another. */
  id: string;
  title: string;
  state: string;
  /** Who made the meeting. */
  host?: string;
  /** When it is planned to begin. */
  start?: string;
  access: Access;
  viewers: number;
  viewers_peak: number;
  playlist: string;
  /** The operator's picture for the time before. */
  poster?: string;
  /** The film of what is over. */
  replay?: string;
  /** What was said in it. */
  replay_captions?: string;
}

/** Two lines are read in less. */
const NOTE_MS = 12_000;

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found;
}

const video = element('video') as HTMLVideoElement;
const parts = {
  player: element('player'),
  title: element('title'),
  host: element('host'),
  viewers: element('viewers'),
  planned: element('planned'),
  posterTitle: element('poster-title'),
  posterHost: element('poster-host'),
  language: element('language'),
  badges: element('badges'),
  live: element('live'),
  latency: element('latency'),
  unmute: element('unmute'),
  note: element('note'),
  state: element('state'),
  spinner: element('spinner'),
  words: element('words'),
  retry: element('retry'),
  entry: element('entry') as HTMLFormElement,
  password: element('password') as HTMLInputElement,
  enter: element('enter'),
  login: element('login') as HTMLAnchorElement,
};

const id = /^\/watch\/([^/]+)/.exec(location.pathname)?.[1] ?? '';
const attending = new Attending(id);
let info: BroadcastInfo | null = null;
let known: Known = 'unknown';
let playing: Playing | null = null;
let player: Player | null = null;
/** The film that is shown. */
let replay: string | null = null;
/** Its captions. */
let captions: HTMLTrackElement | null = null;
/** Why this viewer is not let in. */
let barred: Barred | null = null;
let attended = 0;
/** Which livestream he attends. */
let attends = '';
/** What the player plays. */
let played = '';
/** Before he was called up. */
let wasMuted = false;
let timer: ReturnType<typeof setTimeout> | undefined;
/** Until what is noted goes away. */
let noted: ReturnType<typeof setTimeout> | undefined;

const controls = new Controls(
  {
    frame: parts.player,
    video,
    seek: element('seek') as HTMLInputElement,
    time: element('time'),
    play: element('play') as HTMLButtonElement,
    mute: element('mute') as HTMLButtonElement,
    volume: element('volume') as HTMLInputElement,
    quality: element('quality') as HTMLSelectElement,
    captions: element('captions') as HTMLButtonElement,
    full: element('full') as HTMLButtonElement,
  },
  () => player,
);

const beside = new Beside(
  {
    main: element('main'),
    frame: element('chat'),
    tabs: element('tabs'),
    said: element('said'),
    chatEmpty: element('chat-empty'),
    questions: element('questions'),
    questionsEmpty: element('questions-empty'),
    polls: element('polls'),
    form: element('writing') as HTMLFormElement,
    name: element('chat-name') as HTMLInputElement,
    rename: element('chat-rename') as HTMLButtonElement,
    text: element('chat-text') as HTMLInputElement,
    send: element('chat-send') as HTMLButtonElement,
    problem: element('chat-problem'),
    signs: element('signs'),
    hand: element('hand') as HTMLButtonElement,
    rising: element('rising'),
    call: {
      dialog: element('call') as HTMLDialogElement,
      title: element('call-title'),
      words: element('call-words'),
      camera: element('call-camera') as HTMLInputElement,
      cameraWord: element('call-camera-word'),
      problem: element('call-problem'),
      no: element('call-no') as HTMLButtonElement,
      yes: element('call-yes') as HTMLButtonElement,
      frame: element('stage'),
    },
  },
  attending.viewer,
  isOn => {
    // He would hear himself a second later.
    if (isOn) stop();
    else goOn();
    render();
  },
);

const registering = new Registering(
  {
    form: element('registering') as HTMLFormElement,
    name: element('register-name') as HTMLInputElement,
    email: element('register-email') as HTMLInputElement,
    organisation: element('register-organisation') as HTMLInputElement,
    problem: element('register-problem'),
    submit: element('register') as HTMLButtonElement,
  },
  id,
  attending,
  () => {
    render();
    void ask();
  },
);

startWords();
parts.language.onclick = () => {
  otherLanguage();
  render();
};
parts.live.onclick = () => player?.toEdge();
parts.entry.onsubmit = event => {
  event.preventDefault();
  attending.setPassword(parts.password.value.trim());
  void ask();
};
parts.retry.onclick = () => location.reload();
parts.unmute.onclick = () => {
  video.muted = false;
  parts.unmute.hidden = true;
  void video.play();
};
video.onvolumechange = () => {
  if (!video.muted) parts.unmute.hidden = true;
};
setInterval(() => {
  renderTitle();
  renderLatency();
}, 500);
// The player's code is on its way while the server is asked; the page doesn't wait for either to appear.
const loadPlayer = import('./player');
void ask();
render();

/** Asks the server how the livestream does, and goes on asking. */
async function ask(): Promise<void> {
  clearTimeout(timer);
  known = await fetchKnown();
  const isAnother = info?.playlist !== played;
  if (
    known === 'live' &&
    info &&
    !beside.call.isOn &&
    (!player || isAnother || playing === 'broken' || playing === 'ended')
  ) {
    await start(info.playlist);
  }
  if (
    known === 'ended' &&
    info?.replay &&
    !beside.call.isOn &&
    playing !== 'playing' &&
    playing !== 'buffering'
  ) {
    showReplay(info.replay, info.replay_captions);
  }
  render();
  timer = setTimeout(() => void ask(), askAgainAfter(view(), untilStart()));
  // Typing is not to be taken away by asking again.
  if (!parts.entry.hidden && document.activeElement === document.body) parts.password.focus();
}

/** Milliseconds. */
function untilStart(): number | undefined {
  return info?.start ? new Date(info.start).getTime() - Date.now() : undefined;
}

async function fetchKnown(): Promise<Known> {
  try {
    const response = await fetch(`/api/v1/broadcasts/${encodeURIComponent(id)}`, {
      headers: { Accept: 'application/json' },
      cache: 'no-store',
    });
    if (response.status === 404) return 'missing';
    if (!response.ok) return 'unreachable';
    info = (await response.json()) as BroadcastInfo;
    beside.setLivestream(info.id);
    if (!(await isAdmitted(info.id))) return 'barred';
    if (info.state !== 'live') return info.state === 'ended' ? 'ended' : 'waiting';
    return playing !== 'playing' && (await isOver(info.playlist)) ? 'ended' : 'live';
  } catch {
    return 'unreachable';
  }
}

/** Says now and then that somebody watches; where not everyone may, that renews his pass. */
async function isAdmitted(livestream: string): Promise<boolean> {
  const isNew = attends !== livestream;
  if (!barred && !isNew && performance.now() - attended < ATTEND_MS && attended > 0) return true;
  const answer: Attendance | Barred = await attending.attend();
  barred = typeof answer === 'string' ? answer : null;
  attended = barred ? 0 : performance.now();
  attends = livestream;
  if (typeof answer !== 'string' && info) Object.assign(info, answer);
  return !barred;
}

/** The playlists of an ended livestream stay for a while, for viewers who are behind. */
async function isOver(playlist: string): Promise<boolean> {
  const master = await fetchText(playlist);
  const media = master.split('\n').find(line => line.trim() && !line.startsWith('#'));
  const text = media ? await fetchText(new URL(media.trim(), new URL(playlist, location.href)).href) : master;
  return text.includes('#EXT-X-ENDLIST');
}

async function fetchText(address: string): Promise<string> {
  const response = await fetch(address, { cache: 'no-store' });
  if (!response.ok) throw new Error(`${address} is answered by ${response.status}`);
  return response.text();
}

/** The film takes the livestream's place; whoever begins a new livestream takes it back. */
function showReplay(film: string, said?: string): void {
  if (replay === film) return;
  player?.destroy();
  player = null;
  playing = null;
  replay = film;
  video.src = film;
  captions?.remove();
  captions = null;
  if (said) {
    captions = document.createElement('track');
    captions.kind = 'captions';
    captions.label = word('captions');
    captions.src = said;
    video.append(captions);
  }
  parts.unmute.hidden = true;
  video.muted = false;
}

function stop(): void {
  wasMuted = video.muted;
  video.muted = true;
  video.pause();
  parts.unmute.hidden = true;
  player?.destroy();
  [player, playing] = [null, null];
}

function goOn(): void {
  video.muted = wasMuted;
  void ask();
}

async function start(playlist: string): Promise<void> {
  player?.destroy();
  if (replay) video.removeAttribute('src');
  captions?.remove();
  captions = null;
  replay = null;
  played = playlist;
  playing = 'loading';
  const { play } = await loadPlayer;
  player = play(
    video,
    playlist,
    now => {
      playing = now;
      render();
      if (now === 'broken') void ask();
    },
    () => note('missed'),
  );
  playAloud().catch(() => undefined);
}

/** Stands over the picture for as long as it takes to read. */
function note(of: 'missed'): void {
  parts.note.textContent = word(of);
  parts.note.hidden = false;
  clearTimeout(noted);
  noted = setTimeout(() => (parts.note.hidden = true), NOTE_MS);
}

/** With sound where the browser lets us, else silently with a button for it. */
async function playAloud(): Promise<void> {
  try {
    await video.play();
  } catch (thrown) {
    if (!(thrown instanceof DOMException) || thrown.name !== 'NotAllowedError') return;
    video.muted = true;
    parts.unmute.hidden = false;
    await video.play();
  }
}

function view(): View {
  if (beside.call.isOn) return 'stage';
  return replay ? 'replay' : viewOf(known, playing);
}

function render(): void {
  const now = view();
  document.documentElement.lang = currentLanguage();
  renderTitle();
  parts.title.textContent = info?.title ?? word('brand');
  parts.language.textContent = word('other');
  parts.unmute.textContent = word('unmute');
  parts.retry.textContent = word('retry');
  const isPlaying = now === 'playing' || now === 'replay' || now === 'stage';
  parts.player.dataset['state'] = now;
  parts.state.style.visibility = isPlaying ? 'hidden' : 'visible';
  const poster = now === 'waiting' ? (info?.poster ?? '') : '';
  // Set anew, it would be fetched anew.
  if ((video.getAttribute('poster') ?? '') !== poster) video.poster = poster;
  parts.state.toggleAttribute(
    'data-over-picture',
    poster !== '' || (video.readyState >= 2 && now !== 'ended'),
  );
  const isRegistering = now === 'barred' && barred === 'register';
  parts.player.toggleAttribute('data-registering', isRegistering);
  registering.render(isRegistering);
  const why = isRegistering ? registering.word() : (barred ?? 'barred');
  parts.words.textContent = isPlaying ? '' : word(now === 'barred' ? why : now);
  parts.entry.hidden = now !== 'barred' || !['password', 'wrongPassword', 'tries'].includes(barred ?? '');
  parts.login.hidden = now !== 'barred' || !['login', 'notYours'].includes(barred ?? '');
  parts.password.placeholder = word('passwordField');
  parts.password.setAttribute('aria-label', word('passwordField'));
  parts.enter.textContent = word('enter');
  parts.login.textContent = word('toLogin');
  parts.spinner.hidden = !['loading', 'buffering', 'resuming', 'unreachable'].includes(now);
  parts.retry.hidden = !['missing', 'unplayable'].includes(now);
  parts.badges.hidden = !['playing', 'buffering', 'replay'].includes(now);
  renderAbout(now);
  renderLatency();
  controls.render();
  beside.setOn(known === 'live' && now !== 'replay' && now !== 'ended');
  beside.render();
}

/** Who looks at another page reads here that he is called up. */
function renderTitle(): void {
  const title = info?.title ?? word('brand');
  document.title = beside.call.isAsked ? `${word('called')} · ${title}` : title;
}

/** Who invites, how many watch, and when it begins. */
function renderAbout(now: View): void {
  parts.host.textContent = info?.host ? word('hostedBy', info.host) : '';
  // Who is to register reads for what.
  const isPoster = now === 'waiting' || (now === 'barred' && barred === 'register');
  parts.posterTitle.hidden = parts.posterHost.hidden = !isPoster;
  parts.posterTitle.textContent = isPoster ? (info?.title ?? '') : '';
  parts.posterHost.textContent = isPoster ? parts.host.textContent : '';
  const { viewers = 0, viewers_peak = 0 } = info ?? {};
  parts.viewers.hidden = now === 'waiting' || viewers === 0;
  parts.viewers.textContent = `${word('viewers', `${viewers}`)} · ${word('peak', `${viewers_peak}`)}`;
  const start = info?.start && isPoster ? new Date(info.start) : null;
  parts.planned.hidden = start === null || start.getTime() < Date.now();
  if (start) {
    const text = start.toLocaleString(currentLanguage(), { dateStyle: 'medium', timeStyle: 'short' });
    parts.planned.textContent = word('startsAt', text);
  }
}

function renderLatency(): void {
  if (replay) {
    parts.live.dataset['edge'] = 'false';
    parts.live.textContent = word('replay');
    parts.latency.hidden = true;
    return;
  }
  const latency = player?.latency() ?? null;
  const isAtEdge = player?.isAtEdge() ?? false;
  parts.live.dataset['edge'] = `${isAtEdge}`;
  parts.live.textContent = isAtEdge ? word('live') : word('toLive');
  parts.latency.hidden = latency === null;
  if (latency !== null) {
    parts.latency.textContent = word('latency', latency.toFixed(1));
    parts.latency.dataset['seconds'] = latency.toFixed(2);
  }
}
