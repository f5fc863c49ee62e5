import 'reflect-metadata';
import { Meetings, startRaceApp } from './race-app.js';
import type { RaceCommand } from './race-process.js';

const arrived = new Map<string, () => void>();

class MeetingsOfProcesses extends Meetings {
  attend(name: string | undefined): Promise<void> {
    if (name === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      arrived.set(name, resolve);
      process.send!({ arrived: name });
    });
  }
}

/** The application as a process of its own, for as many databases as it is told of; it ends with whoever started it. */
process.on('disconnect', () => process.exit());
process.on('message', (command: RaceCommand) => {
  if ('begin' in command) {
    arrived.get(command.begin)?.();
    arrived.delete(command.begin);
    return;
  }
  void startRaceApp(command.start, new MeetingsOfProcesses()).then(
    (url) => process.send!({ url }),
    (error: unknown) => process.send!({ failed: String(error) }),
  );
});
process.send!({ ready: true });
