// A prologue of space, processing instructions and comments, each at most once at the place where the text is read.
const PROLOGUE = /^(?:\s+|<\?[\s\S]*?\?>|<!--[\s\S]*?-->)/;
const XML_DECLARATION = /^\s*<\?xml[\s?]/i;
const DOCTYPE = /^<!doctype(?:\s+([^\s>[]+))?[\s>[]/i;
const ROOT = /^<([a-z_][^\s/>]*)([^>]*)/i;

// The tags that make a browser take a text for HTML:
// https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type
const HTML_ROOT =
  /^<(?:html|head|body|script|iframe|h1|div|font|table|a|style|title|b|br|p|meta|link|img|form|input|object|embed|base)[\s>]/i;

// Markdown often begins with these: pictures and centred text. An HTML document need not.
const MARKDOWN_ROOT = /^<(?:p|a|b|br|div|h1|font|img|table)[\s>]/i;

/** Whether text that counts as HTML could also be the beginning of Markdown, which no browser renders. */
export function isMarkdownMarkup(text: string): boolean {
  return !XML_DECLARATION.test(text) && MARKDOWN_ROOT.test(withoutPrologue(text));
}

/**
 * The type of a text that is HTML, SVG or XML by its document type or its root element; `undefined` for any other text.
 * If the text is cut within its prologue, the most dangerous type is assumed.
 */
export function sniffMarkup(text: string): string | undefined {
  const declared = XML_DECLARATION.test(text);
  const document = withoutPrologue(text);
  if (document.startsWith('<!--')) return declared ? 'application/xml' : 'text/html';
  const doctype = DOCTYPE.exec(document);
  if (doctype) return typeOfRoot(doctype[1] ?? 'html', declared) ?? 'application/xml';
  const [, root = '', attributes = ''] = ROOT.exec(document) ?? [];
  const type = typeOfRoot(root, declared);
  if (type) return type;
  if (declared) return 'application/xml';
  if (HTML_ROOT.test(document)) return 'text/html';
  return attributes.includes('xmlns') ? 'application/xml' : undefined;
}

function typeOfRoot(root: string, declared: boolean): string | undefined {
  // Without its prefix: `<s:svg xmlns:s="…">` runs scripts as well.
  const name = root.toLowerCase().replace(/^.*:/, '');
  if (name === 'svg') return 'image/svg+xml';
  if (name === 'html') return declared ? 'application/xhtml+xml' : 'text/html';
  return undefined;
}

function withoutPrologue(text: string): string {
  let rest = text;
  for (let found = PROLOGUE.exec(rest); found; found = PROLOGUE.exec(rest)) rest = rest.slice(found[0].length);
  return rest;
}
