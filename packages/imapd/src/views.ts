/**
 * The views of a process, shared by its sessions: the newest of each mailbox that was looked at. It is read from the catalog
 * again only when the mailbox's highest MODSEQ is another one, and then keeps the pages that did not change.
 */
import type { Catalog, MailboxId, MailboxRow } from '@mstore/store';
import { limits } from './limits.ts';
import { type Page, pageOf, View } from './view.ts';

interface KeptView {
  readonly modSeq: number;
  readonly view: View;
}

/** Bounded; the view that was longest not asked for leaves first. */
export class Views {
  readonly #kept = new Map<MailboxId, KeptView>();
  readonly #viewsMax: number;
  readonly #pagesMax: number;
  #pages = 0;

  constructor(viewsMax: number = limits.keptViews, pagesMax: number = limits.keptPages) {
    this.#viewsMax = viewsMax;
    this.#pagesMax = pagesMax;
  }

  /** Pages kept. */
  get pages(): number {
    return this.#pages;
  }

  /** The mailbox as the catalog, from which `row` was just read, has it. */
  of(catalog: Catalog, mailbox: MailboxId, row: MailboxRow): View {
    const kept = this.#kept.get(mailbox);
    const view = kept?.modSeq === row.highestModSeq ? kept.view : read(catalog, mailbox, kept?.view ?? View.empty);
    this.#keep(mailbox, { modSeq: row.highestModSeq, view });
    return view;
  }

  #keep(mailbox: MailboxId, kept: KeptView): void {
    this.#drop(mailbox);
    this.#kept.set(mailbox, kept);
    this.#pages += kept.view.pages.length;
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#viewsMax && this.#pages <= this.#pagesMax) break;
      this.#drop(oldest);
    }
  }

  #drop(mailbox: MailboxId): void {
    this.#pages -= this.#kept.get(mailbox)?.view.pages.length ?? 0;
    this.#kept.delete(mailbox);
  }
}

function read(catalog: Catalog, mailbox: MailboxId, before: View): View {
  const known = new Map(before.pages.map((page): [number, Page] => [page.number, page]));
  const pages: Page[] = [];
  for (const [number, { present }] of catalog.uidPages(mailbox)) {
    const old = known.get(number);
    pages.push(old?.bits.equals(present) === true ? old : pageOf(number, present));
  }
  return new View(pages);
}
