import { Controller, Get, Redirect } from '@nestjs/common';
import { DEMO_ACCOUNTS } from './users/demo-accounts.js';

@Controller()
export class WelcomeController {
  @Get()
  @Redirect('/web')
  toThePages(): void {}

  /** What there is to try without the pages. */
  @Get('api')
  welcome(): object {
    return {
      welcome: 'A data portal whose records are saved if and only if the files they name are their own.',
      accounts: DEMO_ACCOUNTS.map(({ name, password }) => ({ name, password })),
      try: [
        'POST /login { name, password } → { token }; then send "Authorization: Bearer <token>"',
        'POST /files (multipart, field "file") → { id, … }: yours alone',
        'POST /packages { name, title, visibility, attachmentId, resources: [{ name, fileId }] }',
        'GET /packages, GET /packages/:id, PATCH /packages/:id, POST /packages/:id/publish',
        'POST /resources { packageId, name, fileId }, PATCH /resources/:id',
        'POST /groups, POST /organizations { name, title, imageId }, PATCH /groups/:id, PATCH /organizations/:id',
        'POST /users { name, fullName, password, avatarId }, PATCH /users/:id',
        'GET /files/:id, GET /files/:id/content, GET /provenance/:id',
        'GET /activity, GET /notices',
      ],
    };
  }
}
