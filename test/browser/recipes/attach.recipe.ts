import { upload } from 'nestjs-files/client';

export async function attach(file: File, bar: HTMLProgressElement): Promise<string> {
  const { id } = await upload(file, {
    endpoint: '/files',
    onProgress: (sent, total) => Object.assign(bar, { max: total, value: sent }),
  });
  return id;
}
