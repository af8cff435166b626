import { describe, expect, test } from 'vitest';
import { resolveModelFolder } from '../../lib/hub/resolve.ts';
import { downloadModel } from '../../lib/index.ts';
import { failureOf, id, useHub } from './support.ts';

const hub = useHub();

/** Answers for the list of files; other requests are the server's own. */
function listFiles(body: string, headers: Record<string, string> = {}): void {
  hub.server.commit(id, { 'config.json': '{}' });
  hub.server.fault = ({ path }) => (path.includes('/tree/') ? { status: 200, headers, body } : undefined);
}

describe('what a hub may say', () => {
  test('an answer of more than 64 MiB', async () => {
    listFiles(`[${' '.repeat(64 << 20)}]`);
    const { code, message } = await failureOf(downloadModel(id));
    expect(code).toBe('ERR_HUB');
    expect(message).toContain('67108864');
  });

  test('more than 100,000 files', async () => {
    const entry = (i: number) => ({ type: 'file', path: `${i}`, size: 1, oid: i.toString(16).padStart(40, '0') });
    const link = `<${hub.server.endpoint}/api/models/${id}/tree/x?again>; rel="next"`;
    listFiles(JSON.stringify(Array.from({ length: 1001 }, (_, i) => entry(i))), { link });
    const { code, message } = await failureOf(downloadModel(id));
    expect(code).toBe('ERR_HUB');
    expect(message).toContain('more than 100000 files');
  });

  test('more than 10 redirects', async () => {
    hub.server.commit(id, { 'config.json': '{}' });
    hub.server.fault = () => ({ status: 302, headers: { location: '/x' } });
    const { code, message } = await failureOf(downloadModel(id));
    expect(code).toBe('ERR_HUB');
    expect(message).toContain('redirected more than 10 times');
  });

  test('more than 10,000 shards', async () => {
    const names = Array.from({ length: 10_001 }, (_, i) => [`w${i}`, `model-${i}.safetensors`]);
    const index = JSON.stringify({ weight_map: Object.fromEntries(names) });
    hub.server.commit(id, { 'config.json': '{"model_type":"bert"}', 'model.safetensors.index.json': index });
    const { code, message } = await failureOf(resolveModelFolder(id, {}, 'model'));
    expect(code).toBe('ERR_FILE_FORMAT');
    expect(message).toContain('10001 shards; at most 10000');
  });

  test('more than 64 modules', async () => {
    const modules = JSON.stringify(Array.from({ length: 65 }, (_, i) => ({ path: `${i}` })));
    hub.server.commit(id, { 'config.json': '{"model_type":"bert"}', 'modules.json': modules });
    const { code, message } = await failureOf(resolveModelFolder(id, {}, 'everything'));
    expect(code).toBe('ERR_FILE_FORMAT');
    expect(message).toContain('at most 64 modules');
  });

  test('an index of more than 64 MiB, which is fetched to see which shards there are', async () => {
    const index = `{"weight_map":{}${' '.repeat(64 << 20)}}`;
    hub.server.commit(id, { 'config.json': '{"model_type":"bert"}', 'model.safetensors.index.json': index });
    const { code, message } = await failureOf(resolveModelFolder(id, {}, 'model'));
    expect(code).toBe('ERR_FILE_FORMAT');
    expect(message).toContain('at most 67108864');
  });
});
