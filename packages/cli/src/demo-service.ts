/** The demonstration as a running service, and what to try with it: `npm start`. */
import type { Run } from './command.ts';
import { demoLogin, demoPassword } from './demo-store.ts';
import { serve } from './serve.ts';

type Addresses = Readonly<Record<string, readonly string[]>>;

/** Serves until it is told to stop; ends the process. `messages`: how many the account has. */
export function serveDemo(run: Run, place: string, messages: number): Promise<number> {
  const tell = (at: Addresses): void => {
    process.stdout.write(run.json ? `${JSON.stringify(at)}\n` : welcome(at, place, messages));
  };
  return serve(run, { anyPort: true, tell });
}

function welcome({ lmtp = [], pop3 = [], imap = [] }: Addresses, place: string, messages: number): string {
  const bin = 'node_modules/.bin';
  const where = /\s/.test(place) ? `'${place}'` : place;
  return `
The store in ${place} is being served:

  LMTP     ${lmtp.join('  ')}
  POP3     ${pop3.join('  ')}
  IMAP     ${imap.join('  ')}
  account  ${demoLogin}, password ${demoPassword}

Deliver a message, read it, and see what is saved, in another terminal:

  printf 'Subject: hello\\n\\nHello.\\n' | ${bin}/mstore-lda --data ${where} ${demoLogin}
  curl --user ${demoLogin}:${demoPassword} pop3://${pop3[0] ?? ''}/${messages + 1}
  curl --user ${demoLogin}:${demoPassword} imap://${imap[0] ?? ''}/
  curl --user ${demoLogin}:${demoPassword} 'imap://${imap[0] ?? ''}/INBOX;MAILINDEX=${messages + 1}'
  ${bin}/mstore df --data ${where}

${bin}/mstore demo shows what is inside. Ctrl-C stops the service.

`;
}
