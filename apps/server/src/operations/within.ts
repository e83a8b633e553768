/** The answer to a call, or null when it fails or takes longer than `ms`; how it failed is told where it matters. */
export async function within<Value>(ms: number, call: () => Promise<Value>): Promise<Value | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms);
  });
  return Promise.race([call().catch(() => null), late]).finally(() => clearTimeout(timer));
}
