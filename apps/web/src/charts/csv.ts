/** Numbers as a file. */

/** Rows under a header, as CSV; an absent value is an empty field. */
export function toCsv(header: readonly string[], rows: readonly (readonly (number | null)[])[]): string {
  return [header.join(','), ...rows.map((row) => row.map((value) => value ?? '').join(','))].join('\n') + '\n';
}

/** Has the browser save `text` as `fileName`. */
export function downloadText(text: string, fileName: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = fileName;
  link.click();
  URL.revokeObjectURL(url);
}
