/** Mailbox roles as special uses (RFC 6154 §2), and back. */
import type { MailboxRole } from '@mstore/store';

const uses: Readonly<Record<Exclude<MailboxRole, ''>, string>> = {
  all: '\\All',
  archive: '\\Archive',
  drafts: '\\Drafts',
  flagged: '\\Flagged',
  junk: '\\Junk',
  sent: '\\Sent',
  trash: '\\Trash',
};

/** Undefined for a mailbox without a role. */
export function useOfRole(role: MailboxRole): string | undefined {
  return role === '' ? undefined : uses[role];
}

/** Roles that are no mailbox of their own, and so cannot be given to one. */
const virtual: readonly string[] = ['all', 'flagged'];

/** Undefined for what no mailbox here can be. */
export function roleOfUse(use: string): MailboxRole | undefined {
  const role = use.slice(1).toLowerCase();
  return isRole(role) && !virtual.includes(role) ? role : undefined;
}

function isRole(role: string): role is Exclude<MailboxRole, ''> {
  return Object.hasOwn(uses, role);
}
