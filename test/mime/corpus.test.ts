/** Splits every message of the shared corpus, cut and skipped at random, and reads what IMAP would show of it. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Entity } from '@mstore/store/internal/mime/entity';
import { envelope } from '@mstore/store/internal/mime/envelope';
import { headerFields, listedFields, messageIds } from '@mstore/store/internal/mime/header';
import { Splitter } from '@mstore/store/internal/mime/splitter';
import { body, bodyStructure, section } from '@mstore/store/internal/mime/structure';
import { parseWireList, Recorder, splitSkipping, type WireValue } from '@mstore/store/internal/mime/support.test';
import { skipWithoutCorpus } from '../support/corpus.ts';

/** As ingest does: every bare LF becomes CRLF. */
function canonical(octets: Buffer): Buffer {
  return Buffer.from(octets.toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1');
}

/** A small generator of repeatable numbers. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function checkAddresses(value: WireValue | undefined): void {
  if (value === null) return;
  assert.ok(Array.isArray(value) && value.length > 0);
  for (const address of value) {
    assert.ok(Array.isArray(address) && address.length === 4);
    for (const text of address) assert.ok(text === null || Buffer.isBuffer(text));
  }
}

function checkEnvelope(value: WireValue | undefined): void {
  assert.ok(Array.isArray(value) && value.length === 10);
  for (const index of [0, 1, 8, 9]) assert.ok(value[index] === null || Buffer.isBuffer(value[index]));
  for (let index = 2; index < 8; index++) checkAddresses(value[index]);
}

function checkParameters(value: WireValue | undefined): void {
  if (value === null) return;
  assert.ok(Array.isArray(value) && value.length > 0 && value.length % 2 === 0);
  for (const text of value) assert.ok(Buffer.isBuffer(text));
}

function checkExtension(values: readonly WireValue[]): void {
  assert.equal(values.length, 3);
  const [disposition, language, location] = values;
  if (disposition !== null) {
    assert.ok(Array.isArray(disposition) && disposition.length === 2 && Buffer.isBuffer(disposition[0]));
    checkParameters(disposition[1]);
  }
  assert.ok(language === null || (Array.isArray(language) && language.every((tag) => Buffer.isBuffer(tag))));
  assert.ok(location === null || Buffer.isBuffer(location));
}

/** Checks a BODY or BODYSTRUCTURE against the grammar and the tree; `path` is the part's number. */
function checkStructure(value: WireValue | undefined, root: Entity, path: readonly number[], extended: boolean): void {
  assert.ok(Array.isArray(value));
  const parts = value.findIndex((item) => !Array.isArray(item));
  if (parts > 0) {
    for (let index = 0; index < parts; index++) checkStructure(value[index], root, [...path, index + 1], extended);
    assert.equal(section(root, [...path, parts + 1]), undefined);
    assert.ok(Buffer.isBuffer(value[parts]));
    if (extended) {
      checkParameters(value[parts + 1]);
      checkExtension(value.slice(parts + 2));
    } else {
      assert.equal(value.length, parts + 1);
    }
    return;
  }
  const [type, subtype, parameters, id, description, encoding, size, ...rest] = value;
  assert.ok(Buffer.isBuffer(type) && Buffer.isBuffer(subtype) && Buffer.isBuffer(encoding));
  checkParameters(parameters);
  for (const text of [id, description]) assert.ok(text === null || Buffer.isBuffer(text));
  const own = path.length === 0 ? [1] : path;
  const part = section(root, own);
  assert.ok(part);
  assert.equal(size, part.body.end - part.body.start);
  const name = `${type}/${subtype}`;
  if (name === 'message/rfc822' || name === 'message/global') {
    checkEnvelope(rest.shift());
    const inner = rest.shift();
    assert.ok(Array.isArray(inner));
    checkStructure(inner, root, Array.isArray(inner[0]) ? own : [...own, 1], extended);
  }
  if (type.toString() === 'text' || name === 'message/rfc822' || name === 'message/global') {
    assert.equal(rest.shift(), part.bodyLines);
  }
  if (extended) {
    const md5 = rest.shift();
    assert.ok(md5 === null || Buffer.isBuffer(md5));
    checkExtension(rest);
  } else {
    assert.equal(rest.length, 0);
  }
}

function eachEntity(entity: Entity, visit: (entity: Entity) => void): void {
  visit(entity);
  for (const child of entity.children) eachEntity(child, visit);
}

function checkMessage(octets: Buffer, seed: number): void {
  const recorder = new Recorder();
  const splitter = new Splitter(recorder);
  splitter.push(octets);
  const root = splitter.end();
  assert.ok(recorder.octets.equals(octets), 'octets differ');

  const random = numbers(seed);
  const cuts = new Recorder();
  const again = new Splitter(cuts);
  for (let at = 0; at < octets.length; ) {
    const next = at + 1 + random(random(4) === 0 ? 4 : 3_000);
    again.push(octets.subarray(at, next));
    at = next;
  }
  assert.deepEqual(again.end(), root);
  assert.deepEqual(cuts.pieces, recorder.pieces);
  assert.deepEqual(
    splitSkipping(recorder.pieces, (length) => length),
    root,
  );
  assert.deepEqual(
    splitSkipping(recorder.pieces, (length) => random(length + 1)),
    root,
  );

  eachEntity(root, ({ headerOctets }) => {
    checkEnvelope(parseWireList(envelope(headerOctets)));
    for (const { span, name } of headerFields(headerOctets)) {
      assert.ok(headerOctets.subarray(span.start, span.end).toString('latin1').startsWith(name));
    }
    assert.ok(messageIds(headerOctets).every((id) => /^<[^<>\s]+>$/.test(id)));
    const listed = listedFields(headerOctets);
    assert.ok(listed.equals(listedFields(listed)));
    assert.ok(envelope(listed).equals(envelope(headerOctets)));
  });
  checkStructure(parseWireList(bodyStructure(root)), root, [], true);
  checkStructure(parseWireList(body(root)), root, [], false);
}

test('every file of the corpus splits exactly however it is cut or skipped, and shows well-formed lists', (t) => {
  const files = skipWithoutCorpus(t);
  if (files === undefined) return;
  for (const [seed, { name, path }] of files.entries()) {
    try {
      checkMessage(canonical(readFileSync(path)), seed + 1);
    } catch (error) {
      throw new Error(`${name} (seed ${seed + 1})`, { cause: error });
    }
  }
});
