/** What the daemons have in common that users read their mail by: POP3 and IMAP. */
export { Backing } from './backing.ts';
export { type DaemonOptions, type RunningDaemon, runDaemon } from './daemon.ts';
export { DamagedMessages } from './damaged-messages.ts';
export {
  type Authenticated,
  authenticated,
  hasOwnLimits,
  type LoginServices,
  ownAccount,
  wantedAccount,
} from './login.ts';
export { refuseRemote } from './remote.ts';
