const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const MONTH = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const TIME = String.raw`\d{2}:\d{2}:\d{2}`;

// The three formats that recipients must accept: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
const FIXED = new RegExp(String.raw`^${DAY}, \d{2} ${MONTH} \d{4} ${TIME} GMT$`);
const RFC_850 = new RegExp(String.raw`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, \d{2}-${MONTH}-\d{2} ${TIME} GMT$`);
const ASCTIME = new RegExp(String.raw`^${DAY} ${MONTH} [ \d]\d ${TIME} \d{4}$`);

/** The instant in epoch milliseconds; `undefined` if the text is not an HTTP date. `Date.parse` accepts more. */
export function parseHttpDate(value: string | undefined): number | undefined {
  const text = value?.trim() ?? '';
  const zoned = ASCTIME.test(text) ? `${text} GMT` : FIXED.test(text) || RFC_850.test(text) ? text : '';
  const time = Date.parse(zoned);
  return Number.isNaN(time) ? undefined : time;
}
