/// <reference lib="dom" />
/** Calls back with files that are dropped on `zone`, or pasted into `field`, unless the field is disabled. */
export function takeFiles(field: HTMLElement, zone: HTMLElement, add: (files: File[]) => void): void {
  const take = (event: Event, data: DataTransfer | null): void => {
    zone.classList.remove('over');
    const files = [...(data?.files ?? [])];
    if (files.length === 0) return;
    // Otherwise the browser leaves the page, and shows the file.
    event.preventDefault();
    add(files);
  };
  zone.addEventListener('dragover', (event) => {
    if (!event.dataTransfer?.types.includes('Files') || field.matches(':disabled')) return;
    event.preventDefault();
    zone.classList.add('over');
  });
  zone.addEventListener('dragleave', () => zone.classList.remove('over'));
  zone.addEventListener('drop', (event) => take(event, event.dataTransfer));
  field.addEventListener('paste', (event) => take(event, event.clipboardData));
}
