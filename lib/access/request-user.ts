import type { ExecutionContext } from '@nestjs/common';
import type { Actor } from '../files/actor.js';

/** The actor that guards like Passport's leave on an HTTP request, as `request.user`; `null` without one that has an id. */
export function requestUser(context: ExecutionContext): Actor | null {
  if (context.getType() !== 'http') return null;
  const { user } = context.switchToHttp().getRequest<{ user?: { id?: string | number | bigint | null } | null }>();
  return user?.id == null ? null : { type: 'user', id: String(user.id) };
}
