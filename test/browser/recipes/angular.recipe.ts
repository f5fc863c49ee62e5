import { Component, EventEmitter, Input, Output, signal } from '@angular/core';
import { upload } from 'nestjs-files/client';

@Component({
  selector: 'app-attachment',
  template: `
    <input type="file" [attr.aria-label]="label" (change)="pick($event)" />
    <progress max="1" [value]="progress()"></progress>
    <p role="alert">{{ problem() }}</p>
  `,
})
export class AttachmentComponent {
  @Input() label = 'Attachment';
  @Output() readonly uploaded = new EventEmitter<string>();
  readonly progress = signal(0);
  readonly problem = signal('');
  private stop = new AbortController();

  async pick({ target }: Event): Promise<void> {
    const [file] = (target as HTMLInputElement).files ?? [];
    // Another file takes the place of the one before.
    this.stop.abort();
    this.stop = new AbortController();
    this.problem.set('');
    if (!file) return;
    const { signal: stopped } = this.stop;
    try {
      const onProgress = (sent: number, total: number) => this.progress.set(total > 0 ? sent / total : 1);
      const { id } = await upload(file, { signal: stopped, onProgress });
      this.uploaded.emit(id);
    } catch (error) {
      if (!stopped.aborted) this.problem.set((error as Error).message);
    }
  }
}
