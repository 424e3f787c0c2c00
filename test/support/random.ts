/** Random numbers that a seed gives again: tests print the seed, never `Math.random`. */

export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** An integer in [0, n); n up to 2^32. */
  int(n: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  bytes(length: number): Buffer;
  pick<T>(choices: readonly [T, ...T[]]): T;
  pick<T>(choices: readonly T[]): T;
  /** A source of its own, so that what one part draws does not move the other. */
  fork(): Random;
}

/** sfc32, seeded by an integer below 2^32. */
export function seededRandom(seed: number): Random {
  let a = 0x9e3779b9;
  let b = 0x243f6a88;
  let c = seed | 0;
  let counter = 1;
  function word(): number {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  }
  for (let warm = 0; warm < 12; warm++) word();

  const int = (n: number): number => Math.floor((word() / 2 ** 32) * n);
  return {
    next: () => word() / 2 ** 32,
    int,
    chance: (probability) => word() / 2 ** 32 < probability,
    bytes(length) {
      const octets = Buffer.allocUnsafe(length);
      let at = 0;
      for (; at + 4 <= length; at += 4) octets.writeUInt32LE(word(), at);
      for (; at < length; at++) octets[at] = word();
      return octets;
    },
    pick<T>(choices: readonly T[]): T {
      const choice = choices[int(choices.length)];
      if (choice === undefined) throw new Error('nothing to pick from');
      return choice;
    },
    fork: () => seededRandom(word()),
  };
}
