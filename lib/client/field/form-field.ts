/// <reference lib="dom" />

// On a server there are no elements, and yet its bundle may contain this module.
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

/** What every field of a form has. */
export class FormField extends Base {
  /** @internal */
  static readonly formAssociated = true;

  /** @internal */
  protected readonly internals = this.attachInternals();

  /** The form that it is in. */
  get form(): HTMLFormElement | null {
    return this.internals.form;
  }

  /** What is wrong with it, as for every field of a form. */
  get validity(): ValidityState {
    return this.internals.validity;
  }

  /** Says what is wrong with it: the message of the server where it has refused a file. */
  get validationMessage(): string {
    return this.internals.validationMessage;
  }

  /** Whether the form may be sent, as far as this field goes. */
  checkValidity(): boolean {
    return this.internals.checkValidity();
  }

  /** As `checkValidity()`, and the browser shows what is wrong. */
  reportValidity(): boolean {
    return this.internals.reportValidity();
  }
}
