/** Runs `action` and gives its result with the warnings of this library that it caused. */
export async function withWarnings<T>(
  action: () => Promise<T>,
): Promise<{ result: T; warnings: (Error & { code: string })[] }> {
  const warnings: (Error & { code: string })[] = [];
  const listener = (warning: Error) => {
    if (warning.name === 'BertNativeWarning') warnings.push(warning as Error & { code: string });
  };
  process.on('warning', listener);
  try {
    const result = await action();
    await new Promise((resolve) => setImmediate(resolve)); // warnings are emitted on the next tick
    return { result, warnings };
  } finally {
    process.off('warning', listener);
  }
}
