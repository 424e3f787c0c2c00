/** Blanks at an end of what a peer wrote. */

const blank = ' ';
const tab = '\t';

/** The text without blanks and tabs at its end. A pattern would look for the end anew from each blank in the middle. */
export function withoutBlanksBehind(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === blank || text[end - 1] === tab)) end -= 1;
  return text.slice(0, end);
}
