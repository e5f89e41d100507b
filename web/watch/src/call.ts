import { type Feed, Refused } from './feed';
import type { Own, Stage } from './stage';
import { type Word, word } from './words';

/** The host's call: whoever takes it comes into the meeting, and is a viewer again when he is back. */

/** As a door bell has it: the second is the lower. */
const RING_HZ = [880, 660];
const TONE_S = 0.25;

export interface CallParts {
  dialog: HTMLDialogElement;
  title: HTMLElement;
  words: HTMLElement;
  camera: HTMLInputElement;
  cameraWord: HTMLElement;
  problem: HTMLElement;
  no: HTMLButtonElement;
  yes: HTMLButtonElement;
  frame: HTMLElement;
}

export class Call {
  private problem: Word | null = null;
  private stage: Stage | null = null;
  private isComing = false;

  constructor(
    private readonly parts: CallParts,
    private readonly feed: Feed,
    private readonly name: () => string,
    private readonly onNo: () => void,
    /** He is on the stage, or no longer. */
    private readonly onStage: (isOn: boolean) => void,
  ) {
    const { dialog, no, yes } = parts;
    yes.onclick = () => void this.come();
    no.onclick = () => dialog.close();
    dialog.onclose = () => {
      if (!this.isComing && !this.stage) this.onNo();
    };
  }

  get isOn(): boolean {
    return this.stage !== null;
  }

  /** He is called, and has said neither yes nor no. */
  get isAsked(): boolean {
    return this.parts.dialog.open;
  }

  ask(): void {
    if (this.stage || this.isComing || this.parts.dialog.open) return;
    this.problem = null;
    this.render();
    this.parts.dialog.showModal();
    if (document.visibilityState === 'hidden') ring();
  }

  render(): void {
    const { title, words, cameraWord, problem, no, yes } = this.parts;
    title.textContent = word('called');
    words.textContent = word('calledHow');
    cameraWord.textContent = word('withCamera');
    no.textContent = word('calledNo');
    yes.textContent = word('calledYes');
    problem.hidden = !this.problem;
    problem.textContent = this.problem ? word(this.problem) : '';
    this.stage?.render();
  }

  private async come(): Promise<void> {
    const { dialog, camera, yes, frame } = this.parts;
    this.isComing = yes.disabled = true;
    let own: Own | null = null;
    try {
      own = await devices(camera.checked);
      const seat = await this.feed.comeUp(this.name());
      const { Stage } = await import('./stage');
      this.stage = await Stage.enter(frame, seat, this.name(), own, () => this.over());
      frame.hidden = false;
      dialog.close();
      this.onStage(true);
    } catch (thrown) {
      own?.microphone?.stop();
      own?.camera?.stop();
      this.problem = thrown instanceof Refused ? thrown.word : own ? 'notSent' : 'noMicrophone';
      this.render();
    } finally {
      this.isComing = yes.disabled = false;
    }
  }

  private over(): void {
    this.stage = null;
    this.parts.frame.hidden = true;
    this.onStage(false);
  }
}

/** Two tones, for who looks at another page. A browser that lets the page make no sound leaves it at the title. */
function ring(): void {
  const audio = new AudioContext();
  const volume = new GainNode(audio, { gain: 0.15 });
  volume.connect(audio.destination);
  RING_HZ.forEach((frequency, at) => {
    const tone = new OscillatorNode(audio, { frequency });
    tone.connect(volume);
    tone.start(audio.currentTime + at * TONE_S);
    tone.stop(audio.currentTime + (at + 1) * TONE_S);
    if (at === RING_HZ.length - 1) tone.onended = () => void audio.close();
  });
}

/** The microphone, and the camera where it is wanted; who has no camera comes without. */
async function devices(wantsCamera: boolean): Promise<Own> {
  const sound = await navigator.mediaDevices.getUserMedia({ audio: true });
  const picture = wantsCamera
    ? await navigator.mediaDevices.getUserMedia({ video: { width: 1280, height: 720 } }).catch(() => null)
    : null;
  return { microphone: sound.getAudioTracks()[0] ?? null, camera: picture?.getVideoTracks()[0] ?? null };
}
