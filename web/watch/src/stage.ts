import { Meeting, type MeetingState, Problem } from '@huitong/sdk';
import type { Seat } from './feed';
import { made } from './lines';
import { currentLanguage, word } from './words';

/** A viewer who was called up: he hears and sees the meeting itself, without the livestream's delay, and is heard in it. */

export interface Own {
  microphone: MediaStreamTrack | null;
  camera: MediaStreamTrack | null;
}

export class Stage {
  private readonly large = made('video', 'stage-large');
  private readonly self = made('video', 'stage-self');
  private readonly who = made('p', 'stage-who');
  private readonly voices = made('div', '');
  private readonly microphone = made('button', 'stage-tool');
  private readonly camera = made('button', 'stage-tool');
  private readonly back = made('button', 'stage-tool');
  /** Ends that the server is told what is shown. */
  private unshow: () => void = () => undefined;
  private shown = '';
  private note = '';

  /** Comes in, or rejects with why not. */
  static async enter(
    frame: HTMLElement,
    seat: Seat,
    name: string,
    own: Own,
    onOver: () => void,
  ): Promise<Stage> {
    const tracks = { ...own };
    const meeting = await Meeting.join({ ...seat, name, tracks, language: currentLanguage() });
    return new Stage(frame, meeting, own, onOver);
  }

  private constructor(
    frame: HTMLElement,
    private readonly meeting: Meeting,
    private readonly own: Own,
    onOver: () => void,
  ) {
    for (const video of [this.large, this.self]) {
      video.autoplay = video.playsInline = video.muted = true;
    }
    this.large.dataset['testid'] = 'stage-picture';
    this.self.dataset['testid'] = 'stage-self';
    this.who.setAttribute('role', 'status');
    this.who.dir = 'auto';
    const bar = made('div', 'stage-bar');
    const tools = [
      ['microphone', this.microphone, () => this.toggleMicrophone()],
      ['camera', this.camera, () => this.toggleCamera()],
      ['back', this.back, () => meeting.leave()],
    ] as const;
    for (const [id, button, action] of tools) {
      button.type = 'button';
      button.dataset['testid'] = `stage-${id}`;
      button.onclick = () =>
        void action().catch((thrown: unknown) =>
          this.say(Problem.from(thrown).title || word('noMicrophone')),
        );
      bar.append(button);
    }
    frame.replaceChildren(this.large, this.self, this.who, bar, this.voices);
    const goodbye = () => void meeting.leave();
    window.addEventListener('pagehide', goodbye);
    meeting.on('change', state => this.render(state));
    meeting.on('notice', notice => {
      if (notice === 'asked_to_unmute') this.say(word('askedToSpeak'));
      if (notice === 'camera_stopped') this.stop('camera');
    });
    meeting.on('ended', () => {
      window.removeEventListener('pagehide', goodbye);
      this.unshow();
      this.stop('microphone');
      this.stop('camera');
      frame.replaceChildren();
      onOver();
    });
    this.render(meeting.state);
  }

  /** In the language that was chosen. */
  render(state: MeetingState = this.meeting.state): void {
    const isMuted = this.meeting.me?.muted ?? true;
    const label = (button: HTMLButtonElement, isOn: boolean, text: string) => {
      button.setAttribute('aria-pressed', `${isOn}`);
      button.textContent = text;
    };
    label(this.microphone, !isMuted, word(isMuted ? 'speak' : 'beSilent'));
    label(this.camera, this.own.camera !== null, word(this.own.camera ? 'cameraOff' : 'cameraOn'));
    this.back.textContent = word('backToAudience');
    this.self.hidden = !this.own.camera;
    this.self.srcObject ??= this.own.camera && new MediaStream([this.own.camera]);
    this.hear(state);
    this.look(state);
  }

  private hear({ received }: MeetingState): void {
    const streams = received.filter(({ kind }) => kind === 'audio').map(({ stream }) => stream);
    const playing = [...this.voices.children] as HTMLAudioElement[];
    for (const voice of playing) if (!streams.includes(voice.srcObject as MediaStream)) voice.remove();
    for (const stream of streams) {
      if (playing.some(({ srcObject }) => srcObject === stream)) continue;
      const voice = made('audio', '');
      voice.autoplay = true;
      voice.srcObject = stream;
      this.voices.append(voice);
    }
  }

  /** A shared screen, or who speaks, or who has a camera on. */
  private look({ participants, active, you }: MeetingState): void {
    const others = participants.filter(({ id }) => id !== you);
    const sharer = others.find(({ screen }) => screen);
    const seen = others.filter(({ camera }) => camera);
    const before = seen.find(({ id }) => this.shown === `${id} camera`);
    const person = sharer ?? seen.find(({ id }) => id === active) ?? before ?? seen[0];
    const kind = sharer ? 'screen' : 'camera';
    const key = person ? `${person.id} ${kind}` : '';
    if (key !== this.shown) {
      this.unshow();
      this.shown = key;
      this.unshow = person ? this.meeting.shows(this.large, person.id, kind) : () => undefined;
    }
    this.who.textContent =
      this.note || (person ?? others.find(({ id }) => id === active) ?? others[0])?.name || '';
    const stream = person ? this.meeting.stream(person.id, kind) : null;
    if (this.large.srcObject !== stream) this.large.srcObject = stream;
  }

  /** In the place of who is seen, until something else is to be said. */
  private say(note: string): void {
    this.note = note;
    this.render();
  }

  private async toggleMicrophone(): Promise<void> {
    if (!this.meeting.me?.muted) return this.meeting.mute();
    if (!this.own.microphone) {
      const { audio } = await opened({ audio: true });
      this.own.microphone = audio;
      await this.meeting.setMicrophone(audio);
    }
    await this.meeting.unmute();
    this.say('');
  }

  private async toggleCamera(): Promise<void> {
    if (this.own.camera) this.stop('camera');
    else this.own.camera = (await opened({ video: true })).video;
    await this.meeting.setCamera(this.own.camera);
    this.render();
  }

  private stop(which: keyof Own): void {
    this.own[which]?.stop();
    this.own[which] = null;
    if (which === 'camera') this.self.srcObject = null;
  }
}

async function opened(wanted: MediaStreamConstraints) {
  const stream = await navigator.mediaDevices.getUserMedia(wanted);
  return { audio: stream.getAudioTracks()[0] ?? null, video: stream.getVideoTracks()[0] ?? null };
}
