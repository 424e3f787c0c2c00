/** Octets that came in pieces, as one; the one piece itself where there is no other. */
export async function gathered(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const octets of pieces) all.push(octets);
  const [only = Buffer.alloc(0)] = all;
  return all.length > 1 ? Buffer.concat(all) : only;
}
