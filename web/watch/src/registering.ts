import type { Attending } from './attending';
import { type Word, currentLanguage, word } from './words';

/** Registering for a webinar (B7): a form in the picture's place, and what became of it. */

interface Parts {
  form: HTMLFormElement;
  name: HTMLInputElement;
  email: HTMLInputElement;
  organisation: HTMLInputElement;
  problem: HTMLElement;
  submit: HTMLButtonElement;
}

const PROBLEMS: Record<string, Word> = {
  bad_name: 'badName',
  bad_address: 'badEmail',
  bad_organisation: 'badOrganisation',
  webinar_full: 'webinarFull',
  too_many_tries: 'tooMany',
};

export class Registering {
  private problem: Word | null = null;
  /** Registered already: what is to be known was mailed. */
  private isKnown = false;
  private isBusy = false;

  constructor(
    private readonly parts: Parts,
    private readonly id: string,
    private readonly attending: Attending,
    private readonly onDone: () => void,
  ) {
    parts.form.onsubmit = event => {
      event.preventDefault();
      void this.submit();
    };
  }

  /** What is said above the form. */
  word(): Word {
    return this.isKnown ? 'registeredBefore' : 'register';
  }

  render(isShown: boolean): void {
    const { form, name, email, organisation, problem, submit } = this.parts;
    form.hidden = !isShown || this.isKnown;
    for (const [field, label] of [
      [name, 'fullName'],
      [email, 'email'],
      [organisation, 'organisation'],
    ] as const) {
      field.placeholder = word(label);
      field.setAttribute('aria-label', word(label));
    }
    submit.textContent = word('registerDo');
    submit.disabled = this.isBusy;
    problem.hidden = this.problem === null;
    problem.textContent = this.problem ? word(this.problem) : '';
  }

  private async submit(): Promise<void> {
    const { name, email, organisation } = this.parts;
    this.isBusy = true;
    this.problem = null;
    this.onDone();
    try {
      const response = await fetch(`/api/v1/broadcasts/${encodeURIComponent(this.id)}/registrations`, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json',
          Accept: 'application/json',
          'Accept-Language': currentLanguage(),
        },
        body: JSON.stringify({ name: name.value, email: email.value, organisation: organisation.value }),
      });
      const said = (await response.json()) as { code?: string; signature?: string };
      if (!response.ok) this.problem = PROBLEMS[said.code ?? ''] ?? 'notSent';
      else if (said.signature) this.attending.setSignature(said.signature);
      else this.isKnown = true;
    } catch {
      this.problem = 'notSent';
    }
    this.isBusy = false;
    this.onDone();
  }
}
