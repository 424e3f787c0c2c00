/** The sender of a message, as a command line gives it. */
import { CommandError, exit } from './errors.ts';

/** An address that can stand between angle brackets: blanks, `<` and `>` in a quoted local part only, controls nowhere. */
const pathPattern = /^(?:"(?:[^"\\\p{Cc}\u2028\u2029]|\\[^\p{Cc}\u2028\u2029])*"(?=@))?[^<>\s\p{Cc}]*$/u;

/** Empty where it is absent, `<>` or MAILER-DAEMON, which mean null. @throws CommandError tryAgain, where it is no address */
export function reversePathOf(sender: string | undefined): string {
  const path = (sender ?? '').replace(/^<(.*)>$/s, '$1').replace(/^ +| +$/g, '');
  if (!pathPattern.test(path)) {
    throw new CommandError(
      exit.tryAgain,
      'the sender is no address: blanks, < and > belong in quotes, controls nowhere',
    );
  }
  return /^mailer-daemon$/i.test(path) ? '' : path;
}
