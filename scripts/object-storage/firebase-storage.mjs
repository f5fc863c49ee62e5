// firebase-storage.mjs FIREBASE_TOOLS PORT: serves the storage emulator of an installed firebase-tools, and ends when
// its standard input does. Only the routes of Google Cloud Storage: started as a whole, the emulator loads a Java
// program for the rules of Firebase.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [directory, port] = process.argv.slice(2);
const load = createRequire(join(directory, 'package.json'));
const { EmulatorRegistry } = load('./lib/emulator/registry.js');
const { StorageEmulator } = load('./lib/emulator/storage/index.js');
const { createApp } = load('./lib/emulator/storage/server.js');

const [projectId, host] = ['demo-nestjs-files', '127.0.0.1'];
const rules = { name: 'storage.rules', content: '' };
const emulator = new StorageEmulator({ projectId, host, port: Number(port), rules });
EmulatorRegistry.set(emulator.getName(), emulator);
const app = await createApp(projectId, emulator);
app.listen(Number(port), host, () => process.stdout.write('ready\n'));
process.stdin.resume().once('end', () => process.exit());
