import { expect, test } from 'vitest';
import { reportsIn } from '../../tools/sanitize/reports.mjs';

const own = /bert_native\.node|native_tests|\/native\//;

const race = (first: string, second: string) => `==================
WARNING: ThreadSanitizer: data race (pid=1)
  Write of size 8 at 0x1 by thread T1:
    #0 ${first}

  Previous read of size 8 at 0x1 by main thread:
    #0 ${second}

  Thread T1 (tid=2, running) created by main thread at:
    #0 pthread_create <null> (libtsan.so.2+0x1)
    #1 bert_native::start_thread /src/native/common/threads.cc:1
`;

test.each([
  [
    'an address error that a header of others meets',
    `=1=\n==1==ERROR: AddressSanitizer: heap-use-after-free on 0x1\n    #0 0x1 in free (libasan.so.8+0x1)
    #1 0x2 in Ort::detail::AllocatedFree::operator()(void*) const /src/node_modules/some/ort.h:7\n`,
    1,
    0,
  ],
  ['undefined behaviour', '/src/native/cpu/plan.cc:7:3: runtime error: division by zero', 1, 0],
  ['a race of ours', race('bert_native::run /src/native/cpu/run.cc:1', 'uv_run (node+0x1)'), 1, 0],
  ['a race of Node', race('v8::internal::Run (node+0x1)', 'uv_run (node+0x1)'), 0, 1],
  [
    'two leaks, one through a header of others',
    `==1==ERROR: LeakSanitizer: detected memory leaks

Direct leak of 8 byte(s) in 1 object(s) allocated from:
    #0 0x1 in operator new(unsigned long) libsanitizer/asan_new_delete.cpp:1
    #1 0x2 in Napi::Object::New /src/node_modules/node-addon-api/napi-inl.h:1
    #2 0x3 in bert_native::make /src/native/binding/encoder.cc:1

Direct leak of 8 byte(s) in 1 object(s) allocated from:
    #0 0x1 in operator new(unsigned long) libsanitizer/asan_new_delete.cpp:1
    #1 0x2 in napi_create_promise (/usr/bin/node+0x1)
    #2 0x3 in bert_native::make /src/native/binding/encoder.cc:1
`,
    1,
    1,
  ],
  ['nothing', '12 passed, 0 failed\n', 0, 0],
])('%s', (_, log, ours, others) => {
  const found = reportsIn(log, own);
  expect([found.own.length, found.others]).toEqual([ours, others]);
});
