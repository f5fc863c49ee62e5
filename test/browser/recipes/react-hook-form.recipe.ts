import { useForm } from 'react-hook-form';
import { upload } from 'nestjs-files/client';

interface Letter {
  title: string;
  attachmentId: string;
}

export function useLetterForm(save: (letter: Letter) => Promise<void>) {
  const form = useForm<{ title: string; attachment: FileList }>();
  const submit = form.handleSubmit(async ({ title, attachment }) => {
    try {
      const { id } = await upload(attachment[0] as File);
      await save({ title, attachmentId: id });
    } catch (error) {
      form.setError('attachment', { message: (error as Error).message });
    }
  });
  return { ...form, submit };
}
