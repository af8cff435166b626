import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { env } from '../../lib/env.ts';
import { forgetAnswers } from '../../lib/hub/repository.ts';
import { patience } from '../../lib/hub/session.ts';
import { fixturesFolder } from '../support/fixtures.ts';
import { HubServer } from '../support/hub-server.ts';
import { temporaryFolder } from '../support/temporary.ts';

export const id = 'owner/name';

/** A hub of its own, an empty cache and little patience for each test of a file. */
export function useHub(): { readonly server: HubServer; readonly cache: string } {
  const before = { ...Object.fromEntries(settings.map((name) => [name, env[name]])) };
  const patient = { ...patience };
  const state = {} as { server: HubServer; cache: string };
  beforeEach(async () => {
    state.server = await HubServer.start();
    state.cache = temporaryFolder();
    Object.assign(env, {
      remoteHost: state.server.endpoint,
      allowRemoteModels: true,
      cacheDir: state.cache,
      tokenPath: join(state.cache, 'no-token'),
      localModelPath: join(state.cache, 'no-models'),
    });
    Object.assign(patience, {
      first_wait_ms: 1,
      longest_wait_ms: 4,
      answer_timeout_ms: 5000,
      silence_timeout_ms: 5000,
    });
    forgetAnswers();
  });
  afterEach(async () => {
    Object.assign(env, before);
    Object.assign(patience, patient);
    await state.server.stop();
  });
  return state;
}

const settings = [
  'remoteHost',
  'allowRemoteModels',
  'allowLocalModels',
  'cacheDir',
  'tokenPath',
  'localModelPath',
] as const;

/** The files of a fixture, to serve. */
export function fixture(name: string, ...left_out: string[]): Record<string, Uint8Array> {
  const folder = join(fixturesFolder, name);
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  const kept = paths.filter((path) => !left_out.includes(path));
  return Object.fromEntries(kept.map((path) => [path, readFileSync(join(folder, path))]));
}

/** Bytes that are not the same anywhere. */
export function noise(size_bytes: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size_bytes);
  let state = seed;
  for (let i = 0; i < size_bytes; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Every file and link below a folder, sorted. */
export function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** The error that a promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<Error & { code: string }> {
  return promise.then(
    (value) => {
      throw new Error(`expected a rejection, got ${JSON.stringify(value)}`);
    },
    (error) => error,
  );
}
