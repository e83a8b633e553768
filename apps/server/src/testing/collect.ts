/** All that a generator yields, such as what a verification found of each campaign. @throws what it throws */
export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}
