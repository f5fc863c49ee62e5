import { NestFactory } from '@nestjs/core';
import { DEMO_ACCOUNTS } from './users/demo-accounts.js';
import { PortalModule } from './portal.module.js';
import { addressFrom, optionsFrom } from './portal.options.js';

const { port, host } = addressFrom(process.env);

const app = await NestFactory.create(PortalModule.forRoot(await optionsFrom(process.env)));
app.enableShutdownHooks();
await app.listen(port, host);

console.log(`
The data portal is at http://localhost:${port}

Accounts to try:
${DEMO_ACCOUNTS.map(({ name, password }) => `  ${name} / ${password}`).join('\n')}

Play its story from another terminal: bash sample/portal/story.sh http://localhost:${port}
`);
