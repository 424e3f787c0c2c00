/**
 * Mailbox names as paths, and back: a level is a folder. What a file system or our own layout might take for something else
 * is written as `%` and the hexadecimal digits of its octets in UTF-8: `%`, a dot at the start of a level and in a last
 * `.eml` or `.mbox`, and the characters that some file systems refuse (`\ : * ? " < > |`).
 */
const unsafe = /[%\\:*?"<>|]|^\.|\.(?=(?:eml|mbox)$)/gi;

const percent = (text: string): string =>
  [...Buffer.from(text)].map((octet) => `%${octet.toString(16).toUpperCase().padStart(2, '0')}`).join('');

/** One folder or file name for each level. */
export function pathOfMailbox(name: string): string[] {
  return name.split('/').map((level) => level.replace(unsafe, percent));
}

/** Reverses `pathOfMailbox`; folders that others made keep a `%` that means nothing. */
export function mailboxFromPath(levels: readonly string[]): string {
  const plain = (level: string): string =>
    level.replace(/(?:%[0-9A-F]{2})+/gi, (text) => Buffer.from(text.replaceAll('%', ''), 'hex').toString());
  return levels.map(plain).join('/');
}
