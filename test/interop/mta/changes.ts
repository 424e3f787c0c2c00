/**
 * What mail servers change in a message that passes through, as docs/operations/postfix.md and exim.md list it: each function
 * does to a message what its server does, apart from the Received field on top.
 */

interface Split {
  /** Each with its continuation lines. */
  readonly fields: readonly string[];
  /** From the line that ends the header on; nothing where the message ends with its header. */
  readonly rest: string;
}

/**
 * Where a mail server sees the end of the header: at the first line that is no field and no continuation of one. Exim takes octets
 * above 127 in a field's name.
 */
function split(text: string, field: RegExp): Split {
  const lines = text.split(/(?<=\r\n)/);
  const fields: string[] = [];
  for (const [at, line] of lines.entries()) {
    if (field.test(line)) fields.push(line);
    else if (/^[ \t]/.test(line) && fields.length > 0) fields.push(`${fields.pop()}${line}`);
    else return { fields, rest: lines.slice(at).join('') };
  }
  return { fields, rest: '' };
}

/** The header with the empty line that ends it, whether there was one or not. */
function joined(fields: readonly string[], rest: string): Buffer {
  const separator = rest.startsWith('\r\n') ? '' : '\r\n';
  return Buffer.from(`${fields.join('')}${separator}${rest}`, 'latin1');
}

export function throughPostfix(message: Buffer): Buffer {
  const text = message.toString('latin1').replace(/^>?From /, 'X-Mailbox-Line: $&');
  const { fields, rest } = split(text, /^[!-9;-~]+[ \t]*:/);
  const dropped = /^(?:return-path|content-length|bcc|resent-bcc)[ \t]*:/i;
  const kept = fields
    .filter((field) => !dropped.test(field))
    .map((field) => field.replace(/^([!-9;-~]+)[ \t]+:/, '$1:'));
  return joined(kept, rest);
}

export function throughExim(message: Buffer): Buffer {
  const { fields, rest } = split(message.toString('latin1'), /^[!-9;-~\x80-\xff]+[ \t]*:/);
  const dropped = /^(?:return-path|envelope-to|delivery-date)[ \t]*:/i;
  const kept = fields
    .filter((field) => !dropped.test(field))
    .map((field) => field.replace(/(?:\r\n[ \t]+)+\r\n$/, '\r\n'));
  return joined(kept, rest);
}
