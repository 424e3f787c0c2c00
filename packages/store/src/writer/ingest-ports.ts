/** What taking a message in asks of the writer: hints from the catalog, and places for what goes ahead of the message. */
import type { Catalog } from '../catalog/catalog.ts';
import type { IngestPorts } from '../mail/ingest.ts';
import type { Committer } from './batch.ts';
import { decidePart } from './intents/place.ts';
import type { SegmentUse } from './segment-use.ts';

export function ingestPorts(committer: Committer, use: SegmentUse, catalog: () => Catalog): IngestPorts {
  return {
    hasPart: (sha) => catalog().part(sha) !== undefined,
    hasMessage: (sha) => catalog().messageWithHash(sha) !== undefined,
    appendChunk: async (chunk) => {
      const place = await committer.submit({ answerAfter: 'heap', decide: (turn) => turn.chunk(chunk) });
      use.goesAhead(chunk, [place.lsn]);
      return place;
    },
    appendPart: async (part) => {
      const lsns = await committer.submit({ answerAfter: 'heap', decide: (turn) => decidePart(turn, part) });
      use.goesAhead(part, lsns);
    },
  };
}
