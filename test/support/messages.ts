/** Small mail for tests: multiparts with attachments that recur, wrapped at different widths, and near-duplicates. */
import { counts } from './long.ts';
import type { Random } from './random.ts';

/** The columns that mail programs wrap base64 at. */
export const base64Columns: readonly [number, ...number[]] = [57, 60, 64, 72, 76];

/** Base64 of `content` in lines of `columns`, each ended by `lineEnd`, the last one only when `finalLineEnd`. */
export function wrapped(content: Buffer, columns: number, lineEnd = '\r\n', finalLineEnd = true): string {
  const lines = content.toString('base64').match(new RegExp(`.{1,${columns}}`, 'g')) ?? [];
  return lines.join(lineEnd) + (finalLineEnd ? lineEnd : '');
}

/** A message of a text and attachments, which stand in it as they are given. */
export function multipart(
  head: readonly string[],
  text: string,
  bodies: readonly { readonly encoding: string; readonly body: string }[],
  lineEnd = '\r\n',
): Buffer {
  const lines = [...head, 'MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary="=-b"', '', '--=-b'];
  lines.push('Content-Type: text/plain; charset=utf-8', '', text);
  const parts = bodies.map(({ encoding, body }) => {
    const fields = ['Content-Type: application/octet-stream; name=a', `Content-Transfer-Encoding: ${encoding}`];
    return `${['--=-b', ...fields, '', ''].join(lineEnd)}${body}`;
  });
  const last = parts.map((part) => (part.endsWith(lineEnd) ? part : part + lineEnd)).join('');
  return Buffer.from(`${lines.join(lineEnd)}${lineEnd}${last}--=-b--${lineEnd}`, 'latin1');
}

/** A multipart of so many parts, each of octets that no other message has. */
export function manyParts(parts: number, partBytes: number, name: string): Buffer {
  const texts = Array.from({ length: parts }, (_, n) => `--b\r\n\r\n${`${name} ${n} `.padEnd(partBytes, '.')}\r\n`);
  const header = `Subject: ${name}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n`;
  return Buffer.from(`${header}${texts.join('')}--b--\r\n`);
}

/** Makes messages, and makes some of them again. */
export class MessageSource {
  readonly #random: Random;
  readonly #attachments: readonly Buffer[];
  readonly #ids: string[] = [];
  #sent: Buffer[] = [];

  constructor(random: Random, attachmentBytes: readonly number[] = [5_000, 9_001, 4_096, 30_000]) {
    this.#random = random;
    this.#attachments = attachmentBytes.map((bytes) => random.bytes(bytes));
  }

  /** A message with CRLF line ends. */
  next(): Buffer {
    const random = this.#random;
    const before = this.#sent.length > 0 ? random.pick(this.#sent) : undefined;
    const luck = random.next();
    if (before !== undefined && luck < 0.15) return before;
    if (before !== undefined && luck < 0.25) return this.#keep(nearly(before, random));
    return this.#keep(luck < 0.5 ? this.#plain() : this.#mixed());
  }

  #keep(message: Buffer): Buffer {
    this.#sent.push(message);
    if (this.#sent.length > counts(40, 200)) this.#sent = this.#sent.slice(-20);
    return message;
  }

  #head(): string[] {
    const random = this.#random;
    const id = `<${random.int(2 ** 31)}.${this.#ids.length}@example.org>`;
    const head = [
      'From: A <a@example.org>',
      `To: b${random.int(9)}@example.org`,
      `Subject: s ${random.int(999)}`,
      `Message-ID: ${id}`,
    ];
    if (this.#ids.length > 0 && random.chance(0.5)) head.push(`References: ${random.pick(this.#ids)}`);
    this.#ids.push(id);
    return head;
  }

  #text(): string {
    const lines = 1 + this.#random.int(20);
    return Array.from({ length: lines }, () => 'lorem ipsum '.repeat(1 + this.#random.int(5))).join('\r\n');
  }

  #plain(): Buffer {
    if (this.#random.chance(0.1)) return Buffer.from(`\r\n${this.#text()}`);
    return Buffer.from(`${this.#head().join('\r\n')}\r\n\r\n${this.#text()}${this.#random.chance(0.8) ? '\r\n' : ''}`);
  }

  #mixed(): Buffer {
    const random = this.#random;
    const bodies = Array.from({ length: 1 + random.int(3) }, () => {
      const content = random.pick(this.#attachments);
      if (random.chance(0.2)) return { encoding: '8bit', body: content.toString('hex').replace(/.{70}/g, '$&\r\n') };
      return { encoding: 'base64', body: wrapped(content, random.pick(base64Columns)) };
    });
    return multipart(this.#head(), this.#text(), bodies);
  }
}

/** The message with one octet changed to another that is no line end. */
function nearly(message: Buffer, random: Random): Buffer {
  const other = Buffer.from(message);
  const at = random.int(message.length);
  const octet = other.readUInt8(at);
  if (octet !== 10 && octet !== 13) other[at] = octet === 0x78 ? 0x79 : 0x78;
  return other;
}
