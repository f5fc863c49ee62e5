import { fieldTexts } from 'nestjs-files/file-field';

Object.assign(fieldTexts, {
  pick: 'Datei wählen',
  drop: 'oder hierher ziehen',
  missing: 'Bitte eine Datei wählen.',
});
