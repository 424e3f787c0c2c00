/** What we use of fs-ext, which brings no declarations. */
declare module 'fs-ext' {
  /** flock(2); throws with `code` EAGAIN when `exnb` finds the lock taken. */
  export function flockSync(fd: number, operation: 'exnb' | 'shnb' | 'un'): void;
}
