/** A section that a FETCH asks for (RFC 9051 §6.4.5): what of it is the same for every message. */
import { FieldNames } from './header-fields.ts';
import type { FetchItem } from './wire/fetch-items.ts';
import type { Section } from './wire/section.ts';

export type SectionItem = Extract<FetchItem, { kind: 'section' }>;

export class AskedSection {
  /** What stands in front of its octets, with the blank. */
  readonly label: string;
  /** Of HEADER.FIELDS and HEADER.FIELDS.NOT. */
  readonly names: FieldNames;

  constructor(item: SectionItem) {
    this.label = labelOf(item);
    this.names = new FieldNames(item.section.fields);
  }
}

function labelOf({ as, section, partial }: SectionItem): string {
  const name = as === 'BODY' ? `BODY[${sectionText(section)}]` : as;
  return partial === undefined ? `${name} ` : `${name}<${partial.offset}> `;
}

const texts = {
  all: '',
  header: 'HEADER',
  headerFields: 'HEADER.FIELDS',
  headerFieldsNot: 'HEADER.FIELDS.NOT',
  text: 'TEXT',
  mime: 'MIME',
} as const;

/** As it was asked for; names of fields are atoms where they can be. */
function sectionText({ part, text, fields }: Section): string {
  const name = [...part.map(String), ...(text === 'all' ? [] : [texts[text]])].join('.');
  return fields.length === 0 ? name : `${name} (${fields.map(fieldText).join(' ')})`;
}

function fieldText(name: string): string {
  return /^[^(){%*"\\ ]+$/.test(name) ? name : `"${name.replace(/["\\]/g, '\\$&')}"`;
}
