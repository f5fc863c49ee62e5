import { upload } from 'nestjs-files/client';

document.addEventListener('change', ({ target }) => {
  if (target instanceof HTMLInputElement && target.dataset['idIn']) void send(target, target.dataset['idIn']);
});

async function send(input: HTMLInputElement, name: string): Promise<void> {
  const field = input.form?.elements.namedItem(name) as HTMLInputElement;
  const [file] = input.files ?? [];
  field.value = '';
  input.setCustomValidity(file ? 'Wait until the upload has ended.' : '');
  if (!file) return;
  try {
    const { id } = await upload(file);
    // Another file may have been picked meanwhile.
    if (input.files?.[0] !== file) return;
    field.value = id;
    input.setCustomValidity('');
  } catch (error) {
    input.setCustomValidity((error as Error).message);
    input.reportValidity();
  }
}
