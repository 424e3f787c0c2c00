/** A raw POP3 client (RFC 1939) for tests. */
import { WireClient } from './wire-client.ts';

/** `-ERR`, with the text behind it. */
export class Pop3Refusal extends Error {
  constructor(text: string) {
    super(text);
    this.name = 'Pop3Refusal';
  }
}

export class Pop3Client {
  readonly wire: WireClient;
  readonly greeting: string;

  private constructor(wire: WireClient, greeting: string) {
    this.wire = wire;
    this.greeting = greeting;
  }

  static async connect(address: string): Promise<Pop3Client> {
    const wire = await WireClient.connect(address);
    return new Pop3Client(wire, await readStatus(wire));
  }

  /** Connects and logs in with USER and PASS. @throws Pop3Refusal */
  static async login(address: string, name: string, password: string): Promise<Pop3Client> {
    const client = await Pop3Client.connect(address);
    await client.command(`USER ${name}`);
    await client.command(`PASS ${password}`);
    return client;
  }

  /** The text behind `+OK`. @throws Pop3Refusal */
  async command(line: string): Promise<string> {
    await this.wire.send(`${line}\r\n`);
    return readStatus(this.wire);
  }

  /** The block behind `+OK`, its lines with CRLF. @throws Pop3Refusal */
  async blockOf(line: string): Promise<Buffer> {
    await this.command(line);
    return this.wire.block();
  }

  /** What LIST or UIDL says, by message number. @throws Pop3Refusal */
  async listing(command: 'LIST' | 'UIDL'): Promise<ReadonlyMap<number, string>> {
    const lines = (await this.blockOf(command)).toString('latin1').split('\r\n').slice(0, -1);
    return new Map(lines.map((line) => [Number(line.split(' ')[0]), line.slice(line.indexOf(' ') + 1)]));
  }

  /** Every message of the maildrop, in order; all RETRs are sent ahead in groups, as the fastest clients do. */
  async everything(): Promise<Buffer[]> {
    const numbers = [...(await this.listing('LIST')).keys()];
    const messages: Buffer[] = [];
    for (let at = 0; at < numbers.length; at += 100) {
      const group = numbers.slice(at, at + 100);
      const sent = this.wire.send(group.map((number) => `RETR ${number}\r\n`).join(''));
      // Whoever reads learns of a broken connection first.
      sent.catch(() => undefined);
      for (const _ of group) {
        await readStatus(this.wire);
        messages.push(await this.wire.block());
      }
      await sent;
    }
    return messages;
  }

  /** Ends the session properly: what was marked deleted goes. */
  async quit(): Promise<void> {
    await this.command('QUIT');
    this.wire.close();
  }
}

async function readStatus(wire: WireClient): Promise<string> {
  const line = await wire.line();
  if (line === undefined) throw new Error('the connection ended instead of an answer');
  if (line.startsWith('-ERR')) throw new Pop3Refusal(line.slice(5));
  if (!line.startsWith('+OK')) throw new Error(`expected +OK, got ${line}`);
  return line.slice(4);
}
