/** The store's face for daemons and commands. */
export { Catalog, modSeqOf, type NamedAccount, type NamedMailbox } from './catalog/catalog.ts';
export { chunkSlots, type Entry, type EntryFlags, type EntryPlace } from './catalog/index-chunk.ts';
export type { StoredMessageRow } from './catalog/message-row.ts';
export { type AccountRow, type MailboxRow, type MessageRow, retentionEntry, type Totals } from './catalog/rows.ts';
export { pageUids, type UidPage } from './catalog/uid-pages.ts';
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
export { type Derived, derive, treeInSteps, treeOf } from './log/derive.ts';
export { decodeRecord, type LogRecord, recordType } from './log/records.ts';
export type { StoredContent, StoredMessage } from './mail/assemble.ts';
export { openListed } from './mail/listed.ts';
export { inbox, mailboxName } from './mail/mailbox-name.ts';
export {
  accountsDeleted,
  deletedMailboxes,
  encodeRetention,
  nextPurge,
  type OwnRetention,
  ownRetentionOf,
  ownRetentions,
  type Retention,
  type RetentionKey,
  retainedUntil,
  retentionDaysMax,
  retentionKeys,
  retentionOf,
} from './mail/retention.ts';
export { fullYear, monthOf, namedZoneSeconds } from './mime/date-words.ts';
export type { Entity, Span } from './mime/entity.ts';
export { envelope } from './mime/envelope.ts';
export { fieldTexts, headerFields, listedFieldNames, listedFields, visitFields } from './mime/header.ts';
export { disposition, mediaType, type Parameter, parameterOf } from './mime/media-type.ts';
export { bodyStructure, section } from './mime/structure.ts';
export { transferDecoder } from './mime/transfer-decoder.ts';
export { type RepairOptions, type RepairReport, type RepairStep, repair } from './repair.ts';
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
export { BackgroundScrub, type ScrubObserver } from './upkeep/background-scrub.ts';
export { type BackupOptions, type BackupReport, backup, type FileToBackUp } from './upkeep/backup/backup.ts';
export type { BackupManifest } from './upkeep/backup/manifest.ts';
export { type BackupReading, type OpenBackupOptions, openBackup } from './upkeep/backup/reading.ts';
export { type RestoreOptions, type RestoreReport, restoreStore } from './upkeep/backup/restore.ts';
export {
  entrySlices,
  Holdings,
  isSameStore,
  type MailRestored,
  type MailWanted,
  restoreMail,
} from './upkeep/backup/restore-mail.ts';
export { type VerifyOptions, type VerifyReport, verifyBackup } from './upkeep/backup/verify.ts';
export { type CheckOptions, type CheckReport, check } from './upkeep/check.ts';
export { type CheckpointOptions, checkpoint, isCheckpointDue } from './upkeep/checkpoint/make.ts';
export { type DiskState, diskState } from './upkeep/disk-state.ts';
export { type Examined, examine, openExamined } from './upkeep/examine.ts';
export type { Concerned, Finding, FindingPlace, FindingState } from './upkeep/findings.ts';
export { type RebuildOptions, type RebuildReport, rebuild } from './upkeep/rebuild.ts';
export {
  type RetentionObserver,
  type RetentionOptions,
  type RetentionReport,
  RetentionRunner,
} from './upkeep/retention.ts';
export { type ScrubPass, type ScrubState, scrub, scrubState } from './upkeep/scrub.ts';
export { isSuspectFailure } from './upkeep/suspect.ts';
export {
  type UndoReport,
  type UpgradeOptions,
  type UpgradeReport,
  undoUpgrade,
  upgrade,
} from './upkeep/upgrade.ts';
export {
  keepLog,
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
export type { Purged } from './writer/intents/purge.ts';
export type { RestoredMailbox } from './writer/intents/undelete.ts';
export type { AppendMessage, DeliverOptions, MailWriter, TakenMessage, TakeOptions } from './writer/mail-writer.ts';
export type { StoreHealth, StoreNotice } from './writer/notices.ts';
export { isStore, machinePorts, refuseDeadly, type StoreOptions, type StorePorts } from './writer/store-directory.ts';
export type { CompactProgress, CompactReport, CompactRequest, StoreWriter } from './writer/store-writer.ts';
export { WriterLink } from './writer/writer-link.ts';
