/** The IMAP daemon's process; its arguments are those of every daemon (access/daemon.ts). */
import { runDaemon } from '@mstore/access';
import { startImap } from './imapd.ts';

await runDaemon('imapd', startImap);
