/** The POP3 daemon's process; its arguments are those of every daemon (access/daemon.ts). */
import { runDaemon } from '@mstore/access';
import { startPop3 } from './pop3d.ts';

await runDaemon('pop3d', startPop3);
