/** Transcripts that do not play yet, each with its reason. One that plays all the same fails the run: take it out here. */
export const knownDifferences: ReadonlyMap<string, string> = new Map();
