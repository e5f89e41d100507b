/** Telling the server that somebody watches, and being let in where not everyone may. */

export type Access = 'public' | 'password' | 'link' | 'registered' | 'registration';

/** Why nobody is let in yet. */
export type Barred =
  | 'password'
  | 'wrongPassword'
  | 'tries'
  | 'link'
  | 'login'
  | 'notYours'
  | 'register'
  | 'awaiting'
  | 'declined';

export interface Attendance {
  viewers: number;
  viewers_peak: number;
}

/** How often a viewer says that he is there; a pass lasts fifteen times as long. */
export const ATTEND_MS = 20_000;

const CODES: Record<string, Barred> = {
  watch_password_needed: 'password',
  wrong_watch_password: 'wrongPassword',
  too_many_tries: 'tries',
  wrong_link: 'link',
  not_logged_in: 'login',
  not_allowed: 'notYours',
  registration_needed: 'register',
  not_approved: 'awaiting',
  registration_denied: 'declined',
};

/** What the server's refusal means to the viewer; null when it is no refusal of that kind. */
export function barredBy(code: string): Barred | null {
  return CODES[code] ?? null;
}

/** Of one tab: reloading it doesn't count twice, and a password has to be typed once. */
function remembered(key: string, make: () => string): string {
  const known = sessionStorage.getItem(key);
  if (known) return known;
  const made = make();
  sessionStorage.setItem(key, made);
  return made;
}

function drawViewer(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('');
}

export class Attending {
  private readonly password: string;
  /** By what the server knows this viewer. */
  readonly viewer = remembered('huitong.viewer', drawViewer);
  private signature = location.hash.slice(1);

  constructor(private readonly id: string) {
    this.password = `huitong.watch.${id}`;
  }

  setPassword(password: string): void {
    sessionStorage.setItem(this.password, password);
  }

  /** What one's own link ends in: reloading the page asks for nothing again. */
  setSignature(signature: string): void {
    this.signature = signature;
    history.replaceState(null, '', `#${signature}`);
  }

  async attend(): Promise<Attendance | Barred> {
    const password = sessionStorage.getItem(this.password);
    const response = await fetch(`/api/v1/broadcasts/${encodeURIComponent(this.id)}/viewers`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      body: JSON.stringify({
        viewer: this.viewer,
        ...(password && { password }),
        ...(this.signature && { signature: this.signature }),
      }),
    });
    if (response.ok) return (await response.json()) as Attendance;
    const { code } = (await response.json()) as { code: string };
    const barred = barredBy(code);
    if (!barred) throw new Error(code);
    if (barred === 'wrongPassword') sessionStorage.removeItem(this.password);
    return barred;
  }
}
