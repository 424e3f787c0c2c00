/** The store's face for daemons and commands. */
export { Catalog, type NamedAccount, type NamedMailbox } from './catalog/catalog.ts';
export type { Entry, EntryPlace } from './catalog/index-chunk.ts';
export type { AccountRow, MailboxRow, Totals } from './catalog/rows.ts';
export { UidSet } from './codec/uid-set.ts';
export {
  type Config,
  ConfigError,
  configPath,
  configTemplate,
  type LoadedConfig,
  loadConfig,
  parseBytes,
  type Setting,
} from './config.ts';
export { errnoOf, errorText, isStoreError, StoreError, type StoreErrorCode } from './errors.ts';
export { isSegmentGone } from './heap/heap.ts';
export type { HeapRecord, SegmentState } from './heap/location.ts';
export { limits } from './limits.ts';
export { decodeRecord, type LogRecord, recordType } from './log/records.ts';
export type { StoredMessage } from './mail/assemble.ts';
export { inbox, mailboxName } from './mail/mailbox-name.ts';
export { createStore, Store, StoreReader, type StoreReading } from './store.ts';
export { type FileLock, lockFile, lockHolder } from './sys/file-lock.ts';
export {
  type AccountId,
  allFlags,
  brandNumber,
  flag,
  type Lsn,
  type MailboxId,
  type MailboxRole,
  type MessageId,
  type ModSeq,
  type Uid,
  type UidValidity,
} from './types.ts';
export type { AutoCompactionRules, CompactionObserver } from './upkeep/auto-compaction.ts';
export { type CheckOptions, type CheckReport, check } from './upkeep/check.ts';
export type { Finding } from './upkeep/findings.ts';
export { type RebuildOptions, type RebuildReport, rebuild } from './upkeep/rebuild.ts';
export {
  type OwnStore,
  openAsWriter,
  readFrom,
  socketPath,
  storeOptions,
  type WorkingStore,
  type WorkOptions,
  workOn,
} from './work.ts';
export { WriterClient } from './writer/client.ts';
export type { Change, ChangeKind, Listener } from './writer/feed.ts';
export type { WantedAccount } from './writer/intents/account.ts';
export type { DeliveryResult, DeliveryTarget, Placed } from './writer/intents/place.ts';
export type { AppendMessage, DeliverOptions, MailWriter, TakenMessage, TakeOptions } from './writer/mail-writer.ts';
export { isStore, machinePorts, type StoreOptions, type StorePorts } from './writer/store-directory.ts';
export type { CompactProgress, CompactReport, CompactRequest, StoreWriter } from './writer/store-writer.ts';
export { WriterLink } from './writer/writer-link.ts';
