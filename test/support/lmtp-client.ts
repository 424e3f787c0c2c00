/** A raw LMTP client (RFC 2033) for tests: it delivers, and says what each recipient got. */
import { WireClient } from './wire-client.ts';

export interface Reply {
  readonly code: number;
  /** The texts behind the code, a line each. */
  readonly lines: readonly string[];
}

export interface LmtpMessage {
  /** Lines end in CRLF. */
  readonly message: Buffer;
  readonly recipients: readonly string[];
  /** Absent: the null reverse-path. */
  readonly sender?: string;
  /** Behind the reverse-path: ` SIZE=1000`. */
  readonly parameters?: string;
}

export class LmtpClient {
  readonly wire: WireClient;
  /** The lines of the LHLO reply. */
  readonly capabilities: readonly string[];

  private constructor(wire: WireClient, capabilities: readonly string[]) {
    this.wire = wire;
    this.capabilities = capabilities;
  }

  /** Connects, hears the greeting and says LHLO. */
  static async connect(address: string): Promise<LmtpClient> {
    const wire = await WireClient.connect(address);
    expectCode(await readReply(wire), 220);
    await wire.send('LHLO client.test\r\n');
    const capabilities = await readReply(wire);
    expectCode(capabilities, 250);
    return new LmtpClient(wire, capabilities.lines);
  }

  async command(line: string): Promise<Reply> {
    await this.wire.send(`${line}\r\n`);
    return readReply(this.wire);
  }

  /** One transaction. One reply for each recipient, in order: what refused it, or what became of the message. */
  async deliver({ message, recipients, sender = '', parameters = '' }: LmtpMessage): Promise<readonly Reply[]> {
    const commands = [`MAIL FROM:<${sender}>${parameters}`, ...recipients.map((to) => `RCPT TO:<${to}>`)];
    const sent = this.wire.send(commands.map((line) => `${line}\r\n`).join(''));
    // Whoever reads learns of a broken connection first.
    sent.catch(() => undefined);
    const mail = await readReply(this.wire);
    const answers: Reply[] = [];
    for (const _ of recipients) answers.push(await readReply(this.wire));
    await sent;
    if (mail.code !== 250) return recipients.map(() => mail);
    if (answers.every(({ code }) => code !== 250)) {
      expectCode(await this.command('RSET'), 250);
      return answers;
    }
    const start = await this.command('DATA');
    if (start.code !== 354) return answers.map((answer) => (answer.code === 250 ? start : answer));
    // Replies may come before all is sent; a refusal then must not wait for it.
    const data = this.wire.send(dotEnded(message));
    data.catch(() => undefined);
    for (const [at, { code }] of answers.entries()) if (code === 250) answers[at] = await readReply(this.wire);
    await data;
    return answers;
  }

  async quit(): Promise<void> {
    expectCode(await this.command('QUIT'), 221);
    this.wire.close();
  }
}

/** As DATA carries it: dots doubled at the start of lines, and the line with the dot. */
function dotEnded(message: Buffer): Buffer {
  const text = message.toString('latin1').replace(/(^|\r\n)\./g, '$1..');
  return Buffer.from(text === '' || text.endsWith('\r\n') ? `${text}.\r\n` : `${text}\r\n.\r\n`, 'latin1');
}

async function readReply(wire: WireClient): Promise<Reply> {
  const lines: string[] = [];
  for (;;) {
    const line = await wire.line();
    const [, code, more, text = ''] = /^(\d{3})([ -]|$)(.*)$/s.exec(line ?? '') ?? [];
    if (code === undefined) throw new Error(`expected a reply, got ${line ?? 'the end of the connection'}`);
    lines.push(text);
    if (more !== '-') return { code: Number(code), lines };
  }
}

function expectCode(reply: Reply, code: number): void {
  if (reply.code !== code) throw new Error(`expected ${code}, got ${reply.code} ${reply.lines.join(' / ')}`);
}
