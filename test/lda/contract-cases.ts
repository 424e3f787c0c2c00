/**
 * What mstore-lda promises, as a table: command line and input, exit code, and what lies in which mailbox afterwards. Every
 * case has recipients of its own, so that one look at the end tells all of them apart.
 */

export interface ContractCase {
  readonly name: string;
  readonly args: readonly string[];
  /** Default `message`. */
  readonly input?: Buffer | string;
  readonly code: 0 | 65 | 67 | 75 | 77;
  /** What the line on standard error has in it. */
  readonly says?: RegExp;
  /** Users of the case. */
  readonly users?: readonly string[];
  /** Who has the message: address and mailbox, reverse-path, Delivered-To. */
  readonly mail?: readonly (readonly [place: string, sender: string, to: string])[];
  /** The message as it must lie there, behind the trace lines. Default `stored`. */
  readonly stored?: string;
}

export const message = 'From: Me <me@y.example>\nSubject: a\n\nbody\n';
export const stored = 'From: Me <me@y.example>\r\nSubject: a\r\n\r\nbody\r\n';
export const messageBytesMax = 100_000;

const x = (local: string): string => `${local}@x.example`;

const optionForms: readonly ContractCase[] = [
  {
    name: '-d names the recipient',
    args: ['-f', 'me@y.example', '-d', x('dash')],
    code: 0,
    users: ['dash'],
    mail: [[`${x('dash')} INBOX`, 'me@y.example', x('dash')]],
  },
  {
    name: 'values may be attached',
    args: [`-f${'me@y.example'}`, `-d${x('joined')}`],
    code: 0,
    users: ['joined'],
    mail: [[`${x('joined')} INBOX`, 'me@y.example', x('joined')]],
  },
  {
    name: 'a positional names the recipient',
    args: [x('plain')],
    code: 0,
    users: ['plain'],
    mail: [[`${x('plain')} INBOX`, '', x('plain')]],
  },
  {
    name: 'behind -- nothing is an option',
    args: ['-f', '', '--', x('after')],
    code: 0,
    users: ['after'],
    mail: [[`${x('after')} INBOX`, '', x('after')]],
  },
  {
    name: 'a value may begin with a dash, or be --',
    args: ['-f', '-me@y.example', '-m', '--', '-a', x('dashes')],
    code: 0,
    users: ['dashes'],
    mail: [[`${x('dashes')} INBOX`, '-me@y.example', x('dashes')]],
  },
  {
    name: '-a alone is the recipient, with its detail',
    args: ['-a', x('orig+Sent')],
    code: 0,
    users: ['orig'],
    mail: [[`${x('orig')} Sent`, '', x('orig+Sent')]],
  },
  {
    name: 'with -d, -a gives detail and Delivered-To only',
    args: ['-d', x('both'), '-a', 'Other+sent@elsewhere.example'],
    code: 0,
    users: ['both'],
    mail: [[`${x('both')} Sent`, '', 'Other+sent@elsewhere.example']],
  },
  {
    name: 'a detail that names no mailbox leads to INBOX',
    args: ['-d', x('detail+none')],
    code: 0,
    users: ['detail'],
    mail: [[`${x('detail')} INBOX`, '', x('detail+none')]],
  },
  {
    name: '-m names the mailbox, before any detail',
    args: ['-m', 'Archive', '-d', x('box+Sent')],
    code: 0,
    users: ['box'],
    mail: [[`${x('box')} Archive`, '', x('box+Sent')]],
  },
  {
    name: 'several words after -a are recipients, and options may follow',
    args: ['-a', x('many1'), x('many2'), x('many3'), '-f', 'me@y.example'],
    code: 0,
    users: ['many1', 'many2', 'many3'],
    mail: [
      [`${x('many1')} INBOX`, 'me@y.example', x('many1')],
      [`${x('many2')} INBOX`, 'me@y.example', x('many2')],
      [`${x('many3')} INBOX`, 'me@y.example', x('many3')],
    ],
  },
  {
    name: 'a bare name is in the default domain',
    args: ['-d', 'bare'],
    code: 0,
    users: ['bare'],
    mail: [[`${x('bare')} INBOX`, '', x('bare')]],
  },
  {
    name: 'addresses compare without case and may lack their quotes',
    args: ['-d', 'Two..Dots@X.Example'],
    code: 0,
    users: ['"two..dots"'],
    mail: [['two..dots@x.example INBOX', '', 'Two..Dots@X.Example']],
  },
  {
    name: 'an alias leads to each of its users, and one copy is enough for one mailbox',
    args: [x('alias'), x('aliased1')],
    code: 0,
    users: ['aliased1', 'aliased2'],
    mail: [
      [`${x('aliased1')} INBOX`, '', x('alias')],
      [`${x('aliased2')} INBOX`, '', x('alias')],
    ],
  },
];

const senders: readonly ContractCase[] = [
  ...['<>', 'MAILER-DAEMON', 'mailer-daemon', '<MAILER-DAEMON>'].map(
    (sender, at): ContractCase => ({
      name: `the sender ${sender} is null`,
      args: ['-f', sender, '-d', x(`null${at}`)],
      code: 0,
      users: [`null${at}`],
      mail: [[`${x(`null${at}`)} INBOX`, '', x(`null${at}`)]],
    }),
  ),
  {
    name: 'a sender that needs quotes gets them',
    args: ['-f', 'a b@y.example', '-d', x('quoted')],
    code: 0,
    users: ['quoted'],
    mail: [[`${x('quoted')} INBOX`, '"a b"@y.example', x('quoted')]],
  },
  {
    name: 'a sender that would begin another header field is none: 75',
    args: ['-f', 'a@y.example\r\nX-Evil: 1', '-d', x('dash')],
    code: 75,
    says: /sender/,
  },
];

const octets: readonly ContractCase[] = [
  {
    name: 'a leading From_ line is dropped',
    args: [x('from')],
    input: `From me Sat Jan  3 01:05:34 1996\n${message}`,
    code: 0,
    users: ['from'],
    mail: [[`${x('from')} INBOX`, '', x('from')]],
  },
  {
    name: 'a leading >From line stays',
    args: [x('quote')],
    input: '>From me\nSubject: a\n\nb\n',
    code: 0,
    users: ['quote'],
    mail: [[`${x('quote')} INBOX`, '', x('quote')]],
    stored: '>From me\r\nSubject: a\r\n\r\nb\r\n',
  },
  {
    name: 'CRLF stays, and a missing last line end is added',
    args: [x('crlf')],
    input: 'Subject: a\r\n\r\nb\r\nlast',
    code: 0,
    users: ['crlf'],
    mail: [[`${x('crlf')} INBOX`, '', x('crlf')]],
    stored: 'Subject: a\r\n\r\nb\r\nlast\r\n',
  },
  {
    name: 'NUL, bare CR, 8-bit octets and lone dots stay',
    args: [x('raw')],
    input: Buffer.from('Subject: \xe9\n\nnul\0 cr\r x\xff\xfe\n.\n..\nX', 'latin1'),
    code: 0,
    users: ['raw'],
    mail: [[`${x('raw')} INBOX`, '', x('raw')]],
    stored: 'Subject: \xe9\r\n\r\nnul\0 cr\r x\xff\xfe\r\n.\r\n..\r\nX\r\n',
  },
  {
    name: 'a message without header, and without blank line',
    args: [x('headless')],
    input: 'no header at all\nsecond line\n',
    code: 0,
    users: ['headless'],
    mail: [[`${x('headless')} INBOX`, '', x('headless')]],
    stored: 'no header at all\r\nsecond line\r\n',
  },
  {
    name: 'an empty message is a message',
    args: [x('empty')],
    input: '',
    code: 0,
    users: ['empty'],
    mail: [[`${x('empty')} INBOX`, '', x('empty')]],
    stored: '',
  },
  {
    name: 'a message as large as the limit',
    args: [x('large')],
    input: Buffer.alloc(messageBytesMax, 'abcdefgh\r\n'),
    code: 0,
    users: ['large'],
    mail: [[`${x('large')} INBOX`, '', x('large')]],
    stored: 'abcdefgh\r\n'.repeat(messageBytesMax / 10),
  },
  {
    name: 'one octet past the limit: 65',
    args: [x('dash')],
    input: `${'abcdefgh\r\n'.repeat(messageBytesMax / 10)}x`,
    code: 65,
    says: /too large/,
  },
  {
    name: 'far past the limit: 65, before all of it was read',
    args: [x('dash')],
    input: Buffer.alloc(30_000_000, 'abcdefgh\r\n'),
    code: 65,
    says: /too large/,
  },
];

const refusals: readonly ContractCase[] = [
  { name: 'an unknown user: 67', args: ['-d', x('nobody')], code: 67, says: /^nobody@x\.example: no such user$/ },
  {
    name: 'an unknown user, before a large message is read: 67',
    args: ['-d', x('nobody')],
    input: Buffer.alloc(30_000_000, 'x\n'),
    code: 67,
  },
  {
    name: 'one unknown among several: 67, and nobody has it',
    args: ['-a', x('one1'), x('nobody'), x('one2')],
    code: 67,
    users: ['one1', 'one2'],
  },
  { name: 'not our domain: 75', args: ['-d', 'a@elsewhere.example'], code: 75, says: /domain/ },
  {
    name: 'unknown and not ours: the temporary answer wins',
    args: [x('nobody'), 'a@elsewhere.example'],
    code: 75,
  },
  { name: 'no address at all: 67', args: ['-d', '@x.example'], code: 67 },
  {
    name: 'too large for the quota of one: 75 unless configured otherwise, and nobody has it',
    args: [x('room'), x('full')],
    code: 75,
    says: /^one of the recipients: the mailbox is full$/,
    users: ['room'],
  },
  { name: 'no recipient: 75', args: [], code: 75, says: /recipient/ },
  { name: 'an empty recipient: 75', args: ['-d', ''], code: 75 },
  { name: 'an unknown option: 75', args: ['-x', '-d', x('dash')], code: 75, says: /unknown option -x/ },
  { name: 'help is no option: 75', args: ['--help'], code: 75 },
  { name: 'an option without its value: 75', args: ['-d'], code: 75 },
  { name: 'an option given twice: 75', args: ['-d', x('dash'), '-d', x('plain')], code: 75 },
  { name: 'recipients beside -d: 75', args: ['-d', x('dash'), x('plain')], code: 75 },
  {
    name: 'more arguments than allowed: 75',
    args: Array.from({ length: 4_100 }, () => x('dash')),
    code: 75,
    says: /4096/,
  },
  {
    name: 'more octets of arguments than allowed: 75',
    args: ['-d', ...Array.from({ length: 16 }, () => 'a'.repeat(70_000))],
    code: 75,
  },
];

export const contractCases: readonly ContractCase[] = [...optionForms, ...senders, ...octets, ...refusals];
