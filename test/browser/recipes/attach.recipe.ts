import { upload } from 'nestjs-files/client';

export async function attach(file: File, bar: HTMLProgressElement): Promise<string> {
  const { id } = await upload(file, {
    endpoint: '/files',
    onProgress: (sent, total) => (bar.value = sent / total),
  });
  return id;
}
