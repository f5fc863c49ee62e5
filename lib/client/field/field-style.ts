/// <reference lib="dom" />
const CSS = `
:host { display: block; font: inherit }
:host([hidden]), [hidden] { display: none !important }
[part=drop] { display: flex; flex-wrap: wrap; gap: .75em; align-items: center; padding: .75em; border: 1px dashed; border-radius: .5em }
.over { outline: 2px solid Highlight; outline-offset: 2px }
button { font: inherit; min-height: 2.75em; padding: 0 1em }
[part=hint] { opacity: .75 }
[part=list] { list-style: none; margin: .5em 0 0; padding: 0 }
[part=item] { display: flex; flex-wrap: wrap; gap: .5em; align-items: center; padding: .25em 0 }
[part=actions] { display: flex; flex-wrap: wrap; gap: .5em }
[part=thumbnail] { width: 2.5em; height: 2.5em; object-fit: cover; border-radius: .25em }
[part=name] { flex: 1 1 8em; overflow-wrap: anywhere }
[data-state=failed] [part=status] { color: light-dark(#b3261e, #ffb4ab) }
[part=said] { position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%) }`;

let shared: CSSStyleSheet | undefined;

/** One style sheet for all fields. It is made by script, so that a content security policy does not refuse it. */
export function fieldStyle(): CSSStyleSheet {
  if (!shared) {
    shared = new CSSStyleSheet();
    shared.replaceSync(CSS);
  }
  return shared;
}
