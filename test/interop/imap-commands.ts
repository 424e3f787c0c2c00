/** Commands drawn at random, as clients of all kinds may send them, some of them wrong. */
import { multipart, wrapped } from '../support/messages.ts';
import type { Random } from '../support/random.ts';
import { peculiarMail } from './imap-scene.ts';

const names = ['INBOX', 'a', 'a/b', 'a/b/c', 'B', '"c d"', 'e&-f', '&AOQ-/x', 'INBOX/y'] as const;
/** Those that lie above none: another level of a name is a mailbox to one server, and to the other it is not. */
const leaves = ['B', '"c d"', 'e&-f', '&AOQ-/x', 'INBOX/y'] as const;
const systemFlags = ['\\Seen', '\\Answered', '\\Flagged', '\\Deleted', '\\Draft'] as const;
const keywords = ['$Mark', 'work', 'NonJunk'] as const;
const modes = ['FLAGS', '+FLAGS', '-FLAGS', 'FLAGS.SILENT', '+FLAGS.SILENT', '-FLAGS.SILENT'] as const;
const sections = [
  '',
  'HEADER',
  'TEXT',
  '1',
  '2',
  '1.MIME',
  '2.MIME',
  '1.1',
  '9',
  'HEADER.FIELDS (SUBJECT FROM)',
  'HEADER.FIELDS.NOT (Subject date)',
  'HEADER.FIELDS (X-None)',
] as const;
const items = ['FLAGS', 'UID', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE', 'BODYSTRUCTURE', 'BODY'] as const;
const legacyItems = ['RFC822.HEADER', 'RFC822', 'RFC822.TEXT', 'ALL', 'FAST', 'FULL'] as const;
const statusItems = ['MESSAGES', 'UIDNEXT', 'UNSEEN', 'SIZE'] as const;
const patterns = ['*', '%', 'a/%', '%/%', 'a*', '*c', 'INBOX', 'inbox', '%b', '"c d"', 'none', '&AOQ-*'] as const;

const flagKeys = [
  'ALL',
  'SEEN',
  'UNSEEN',
  'ANSWERED',
  'UNANSWERED',
  'FLAGGED',
  'UNFLAGGED',
  'DELETED',
  'UNDELETED',
  'DRAFT',
  'UNDRAFT',
  'KEYWORD work',
  'UNKEYWORD $Mark',
  'KEYWORD nobody',
] as const;
const dateKeys = ['BEFORE', 'ON', 'SINCE'] as const;
const sentKeys = ['SENTBEFORE', 'SENTON', 'SENTSINCE'] as const;
const textKeys = ['SUBJECT', 'FROM', 'TO', 'CC', 'BODY', 'TEXT'] as const;
const headers = [
  'Subject "s 1"',
  'Message-ID example',
  'References ""',
  'X-None ""',
  'X-None x',
  'content-type MIXED',
] as const;
const words = ['lorem', 'a@example.org', 'EXAMPLE', 's', 'literal', '"s 9"', 'b3', 'nowhere', '"-b"'] as const;

/** Whatever of these an octet more or less makes, it changes nothing. */
const harmless = /^(?:STATUS|LIST|LSUB|(?:UID )?FETCH [^[]*\)$)/;

/** Less what is long, and less a lone CR before a line end, which Dovecot takes away. */
const plainMail = peculiarMail.filter((octets) => octets.length < 1_000 && !octets.includes('\r\r\n'));

/** What a session has selected. */
interface SelectedState {
  readonly isSelected: boolean;
  readonly isReadOnly: boolean;
  /** Messages. */
  readonly count: number;
}

export class CommandSource {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** A command without tag and CRLF, its literals in it. */
  next(selected: SelectedState): Buffer {
    const random = this.#random;
    const luck = random.next();
    if (luck < 0.12) return this.append();
    const isOfMessages = luck < (selected.isSelected ? 0.8 : 0.14);
    const text = isOfMessages ? this.#ofMessages(selected) : this.#ofMailboxes(selected.isSelected);
    const breaks = harmless.test(text) && random.chance(0.1);
    return Buffer.from(breaks ? this.#broken(text) : text, 'latin1');
  }

  append(toInbox: boolean = false): Buffer {
    const random = this.#random;
    const many = random.chance(0.1) ? 1 + random.int(3) : 1;
    const pieces: Buffer[] = [Buffer.from(`APPEND ${toInbox || random.chance(0.6) ? 'INBOX' : this.#name()}`)];
    for (let at = 0; at < many; at += 1) {
      const octets = random.chance(0.2) ? random.pick(plainMail) : this.#message();
      const day = 10 + random.int(18);
      const date = `"${day}-Mar-20${10 + random.int(15)} 1${random.int(10)}:00:0${random.int(10)} +0${random.int(10)}30"`;
      pieces.push(Buffer.from(` (${this.#flags().join(' ')}) ${date} {${octets.length}+}\r\n`), octets);
    }
    return Buffer.concat(pieces);
  }

  #message(): Buffer {
    const random = this.#random;
    const head = ['From: A <a@example.org>', `To: b${random.int(9)}@example.org`, `Subject: s ${random.int(999)}`];
    if (random.chance(0.7)) {
      const zone = random.pick(['+0000', '-1100', '+1300']);
      head.push(`Date: ${1 + random.int(28)} Mar 20${10 + random.int(15)} 0${random.int(10)}:30:00 ${zone}`);
    }
    if (random.chance(0.8)) head.push(`Message-ID: <${random.int(99)}@example.org>`);
    if (random.chance(0.3)) head.push(`References: <${random.int(99)}@example.org>`);
    const text = Array.from({ length: 1 + random.int(20) }, () => 'lorem ipsum '.repeat(1 + random.int(5))).join(
      '\r\n',
    );
    if (random.chance(0.5))
      return Buffer.from(`${head.join('\r\n')}\r\n\r\n${text}${random.chance(0.8) ? '\r\n' : ''}`);
    const bodies = Array.from({ length: 1 + random.int(3) }, () => {
      return { encoding: 'base64', body: wrapped(random.bytes(1 + random.int(5_000)), 76) };
    });
    return multipart(head, text, bodies);
  }

  #ofMessages({ count, isReadOnly }: SelectedState): string {
    const random = this.#random;
    const luck = random.next();
    const byUid = random.chance(0.4) ? 'UID ' : '';
    const set = this.#set(count);
    if (luck < 0.15) return `${byUid}SEARCH ${this.#searchKeys(set)}`;
    if (luck < 0.45) return `${byUid}FETCH ${set} ${this.#fetchItems()}`;
    if (luck < 0.75) return `${byUid}STORE ${set} ${random.pick(modes)} (${this.#flags().join(' ')})`;
    if (luck < 0.83) return `${byUid}COPY ${this.#range(count)} ${this.#name()}`;
    // Dovecot moves out of a mailbox that is read only.
    if (luck < 0.87 && !isReadOnly) return `${byUid}MOVE ${this.#range(count)} ${this.#name()}`;
    if (luck < 0.93) return 'EXPUNGE';
    if (luck < 0.95) return `UID EXPUNGE ${set}`;
    return random.pick(['NOOP', 'CHECK', `FETCH ${count + 1} (FLAGS)`, `UID FETCH ${count + 9999} (FLAGS)`]);
  }

  /** Nothing is deleted or renamed while a mailbox is selected: it might be that one. */
  #ofMailboxes(isSelected: boolean): string {
    const random = this.#random;
    const luck = random.next();
    const name = this.#name();
    if (luck < 0.25) return `${random.chance(0.8) ? 'SELECT' : 'EXAMINE'} ${random.chance(0.5) ? 'INBOX' : name}`;
    if (luck < 0.4) return `CREATE ${name}`;
    if (luck < 0.46 && !isSelected) return `DELETE ${name}`;
    // Not INBOX, which is then another one in Dovecot, and the same without its messages in mstore; a server may do either.
    if (luck < 0.52 && !isSelected) return `RENAME ${random.pick(leaves)} ${random.pick(leaves)}`;
    if (luck < 0.52) return random.pick(['CLOSE', 'UNSELECT']);
    if (luck < 0.6) return `${random.pick(['SUBSCRIBE', 'UNSUBSCRIBE'])} ${name}`;
    if (luck < 0.78) return `STATUS ${name} (${this.#some(statusItems).join(' ')})`;
    if (luck < 0.84) return `LSUB "" ${random.pick(patterns)}`;
    if (luck < 0.96) return `LIST "" ${random.pick(patterns)}`;
    return random.pick([
      'LIST (SUBSCRIBED) "" *',
      'LIST "" * RETURN (SUBSCRIBED CHILDREN)',
      'LIST "" (a* B) RETURN (STATUS (MESSAGES UNSEEN))',
      'LIST "" ""',
      'LIST a/ %',
    ]);
  }

  #fetchItems(): string {
    const random = this.#random;
    if (random.chance(0.08)) return random.pick(legacyItems);
    const chosen: string[] = this.#some(items);
    if (random.chance(0.5)) {
      const peek = random.chance(0.6) ? '.PEEK' : '';
      const section = random.pick(sections);
      // Of the last line end of some fields Dovecot 2.3 gives a window the wrong half.
      const isWindow = !section.includes('FIELDS') && random.chance(0.3);
      const window = isWindow ? `<${random.int(400)}.${1 + random.int(400)}>` : '';
      chosen.push(`BODY${peek}[${section}]${window}`);
    }
    return `(${chosen.join(' ')})`;
  }

  #searchKeys(set: string, depth: number = 0): string {
    const random = this.#random;
    const keys = Array.from({ length: 1 + random.int(2) }, () => {
      const luck = random.next();
      if (luck < 0.1 && depth < 3) return `NOT ${this.#searchKeys(set, depth + 1)}`;
      if (luck < 0.2 && depth < 3) return `(${this.#searchKeys(set, depth + 1)})`;
      // Not with a flag: Dovecot 2.3 finds too little where both sides of OR ask for a flag that is not set.
      if (luck < 0.3 && depth < 3) return `OR (${this.#searchKeys(set, depth + 1)}) SUBJECT ${random.pick(words)}`;
      if (luck < 0.35) return random.chance(0.5) ? set : `UID ${set}`;
      if (luck < 0.55) return random.pick(flagKeys);
      if (luck < 0.65) {
        const date = `${1 + random.int(28)}-${random.pick(['Mar', 'Jan'])}-20${10 + random.int(15)}`;
        // Without a Date a message has no date that it was sent on; Dovecot takes the internal one.
        if (random.chance(0.5)) return `(HEADER Date "" ${random.pick(sentKeys)} ${date})`;
        return `${random.pick(dateKeys)} ${date}`;
      }
      if (luck < 0.72) return `${random.pick(['LARGER', 'SMALLER'])} ${random.int(12_000)}`;
      if (luck < 0.8) return `HEADER ${random.pick(headers)}`;
      return `${random.pick(textKeys)} ${random.pick(words)}`;
    });
    return keys.join(' ');
  }

  /** Some numbers, ranges and `*`, which may overlap. */
  #set(count: number): string {
    return Array.from({ length: 1 + this.#random.int(3) }, () => this.#range(count)).join(',');
  }

  /** One range: Dovecot 2.3 gives up, or ends, where it is to copy by ranges that overlap. */
  #range(count: number): string {
    const random = this.#random;
    const number = (): string => (random.chance(0.1) ? '*' : `${1 + random.int(Math.max(1, count))}`);
    return random.chance(0.5) ? `${number()}:${number()}` : number();
  }

  #flags(): string[] {
    const random = this.#random;
    return [...systemFlags, ...keywords].filter(() => random.chance(0.25));
  }

  #name(): string {
    return this.#random.pick(names);
  }

  #some<T>(of: readonly T[]): T[] {
    const chosen = of.filter(() => this.#random.chance(0.4));
    return chosen.length > 0 ? chosen : of.slice(0, 1);
  }

  /** The command with an octet of its arguments taken out, doubled or replaced. */
  #broken(text: string): string {
    const random = this.#random;
    const from = text.indexOf(' ', 4);
    const at = from + random.int(text.length - from);
    return text.slice(0, at) + random.pick(['', `${text[at]}${text[at]}`, '(', ' ', '"', ')']) + text.slice(at + 1);
  }
}
