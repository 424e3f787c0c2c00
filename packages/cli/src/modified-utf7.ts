/** Mailbox names in the modified UTF-7 of IMAP4rev1 (RFC 3501 §5.1.3), which Maildir++ uses for its folders. */

/** Decodes; text that is not well-formed stays as it is. */
export function decodeModifiedUtf7(text: string): string {
  return text.replace(/&([A-Za-z0-9+,]*)-/g, (whole, base64: string) => {
    if (base64 === '') return '&';
    const octets = Buffer.from(base64.replaceAll(',', '/'), 'base64');
    return octets.length < 2 || octets.length % 2 === 1 ? whole : octets.swap16().toString('utf16le');
  });
}

/** Encodes what is not printable ASCII, and what `also` matches. */
export function encodeModifiedUtf7(text: string, also: RegExp): string {
  let encoded = '';
  let waiting = '';
  const flush = (): void => {
    if (waiting === '') return;
    const base64 = Buffer.from(waiting, 'utf16le').swap16().toString('base64');
    encoded += `&${base64.replace(/=+$/, '').replaceAll('/', ',')}-`;
    waiting = '';
  };
  for (const char of text) {
    if (char >= ' ' && char <= '~' && !also.test(char)) {
      flush();
      encoded += char === '&' ? '&-' : char;
    } else waiting += char;
  }
  flush();
  return encoded;
}
