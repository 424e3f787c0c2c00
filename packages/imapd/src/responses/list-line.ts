/** The line of one name in LIST (RFC 9051 §7.3.1), asked for or not. */

import type { NamedMailbox } from '@mstore/store';
import type { Encoder } from '../wire/encoder.ts';
import { useOfRole } from './special-use.ts';

export interface ListLine {
  readonly name: string;
  /** Undefined: there is no mailbox of that name. */
  readonly mailbox: NamedMailbox | undefined;
  /** Beside what the mailbox itself makes of them. */
  readonly attributes?: readonly string[];
  /** Options that mailboxes below satisfy (§6.3.9.6). */
  readonly childInfo?: readonly string[];
  /** What it was called before, or what the client called it (§6.3.9.7). */
  readonly oldName?: string | undefined;
}

export function writeList(to: Encoder, { name, mailbox, attributes = [], childInfo = [], oldName }: ListLine): void {
  const use = mailbox === undefined ? undefined : useOfRole(mailbox.row.role);
  // Who does not know \NonExistent knows \Noselect.
  const missing = mailbox === undefined ? ['\\NonExistent', '\\Noselect'] : [];
  const all = [...missing, ...attributes, ...(use === undefined ? [] : [use])];
  to.raw('* LIST ').list(all, (attribute) => to.raw(attribute));
  to.raw(' "/" ').mailbox(name);
  const extended: (() => void)[] = [];
  if (childInfo.length > 0)
    extended.push(() => to.raw('"CHILDINFO" ').list(childInfo, (option) => to.raw(`"${option}"`)));
  if (oldName !== undefined) extended.push(() => to.raw('"OLDNAME" (').mailbox(oldName).raw(')'));
  if (extended.length > 0) to.raw(' ').list(extended, (write) => write());
  to.crlf();
}
